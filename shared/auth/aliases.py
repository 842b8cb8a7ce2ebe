"""Under which name a caller is put on record.

A bear's device id is part of its child's personal data; commits and audit records stay when the
child is erased. So a bear is recorded under a pseudonym that only the process which gave it could
find again: while that runs all that one bear does stands under one name, and afterwards nobody can
tell which bear it was, not even by guessing its id.
"""

import hashlib
import os
from dataclasses import replace

from shared.auth.principal import Principal, Role

PSEUDONYM_BYTES = 8
OLDER_ALIAS_BYTES = 12
"""By their length the two are told apart."""


class Pseudonyms:
    """BLAKE2b-64 in hex, keyed with 32 random bytes that are never written anywhere."""

    __slots__ = ("_key",)

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def given(self, principal: Principal) -> Principal:
        """The same principal; a bear with its pseudonym."""
        if principal.role is not Role.DEVICE:
            return principal
        return replace(principal, alias=_name(principal.subject, self._key, PSEUDONYM_BYTES))


def older_alias(index_key: bytes, device_id: str) -> str:
    """As earlier releases recorded the bear: by a hash that the index key finds again."""
    return _name(device_id, index_key, OLDER_ALIAS_BYTES)


def _name(device_id: str, key: bytes, size: int) -> str:
    digest = hashlib.blake2b(device_id.encode(), digest_size=size, key=key, person=b"bear")
    return f"bear-{digest.hexdigest()}"
