"""Under which name a caller is put on record.

A bear's device id is part of its child's personal data; commits and audit records stay when the
child is erased. So a bear is recorded under a keyed hash of its id: always the same one, and nobody
can tell without the key which bear it was.
"""

import hashlib
from dataclasses import replace

from shared.auth.principal import Principal, Role

ALIAS_BYTES = 12


class Aliases:
    """BLAKE2b-96 in hex, keyed with `index_key` (32 bytes)."""

    __slots__ = ("_key",)

    def __init__(self, index_key: bytes) -> None:
        self._key = index_key

    def with_alias(self, principal: Principal) -> Principal:
        """The same principal; a bear with its alias."""
        if principal.role is not Role.DEVICE:
            return principal
        return replace(principal, alias=self.of_device(principal.subject))

    def of_device(self, device_id: str) -> str:
        digest = hashlib.blake2b(
            device_id.encode(), digest_size=ALIAS_BYTES, key=self._key, person=b"bear"
        )
        return f"bear-{digest.hexdigest()}"
