"""How long the worker waits for a key-encryption key that its key file has not yet."""

import time
from collections.abc import Callable, Iterable

from shared.keyring.cipher import ChildCipher, ClosedCipher
from shared.keyring.provider import UnknownKek

KEY_PATIENCE_SECONDS = 30.0
"""The file of a rotation may be on its way to this machine; longer than that, all children behind
one such child would be late."""


class KeyPatience:
    """For each key that is unknown, from when it was first met on."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._first_met: dict[str, float] = {}

    def wait_for(self, ciphers: Iterable[ChildCipher]) -> None:
        """Raises UnknownKek while one of `ciphers` may still come."""
        now = self._monotonic()
        for cipher in ciphers:
            error = cipher.error if isinstance(cipher, ClosedCipher) else None
            if (
                isinstance(error, UnknownKek)
                and now - self._first_met.setdefault(str(error), now) < self._seconds
            ):
                raise error
