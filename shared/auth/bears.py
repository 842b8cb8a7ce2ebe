"""The names under which bears are reserved, and under which they are put on record."""

import hashlib
import os

from shared.auth.access import Principal, Role

PSEUDONYM_BYTES, OLDER_ALIAS_BYTES = 8, 12
"""Their length distinguishes the two."""


def in_one_case(bear: str) -> str:
    """A bear's UDID or device id as it is reserved: ids that differ by case only are one bear's.
    Upper case, in which serial numbers are printed. UDIDs of other letters than ASCII, which were
    taken once, are reserved as they are."""
    return bear.upper() if bear.isascii() else bear


class BearIndex:
    """Keyed hashes under which a bear's UDID and its device id are reserved."""

    __slots__ = ("_key",)

    def __init__(self, index_key: bytes) -> None:
        self._key = index_key

    def udid_key(self, udid: str) -> str:
        return hashlib.blake2b(udid.encode(), key=self._key, person=b"udid").hexdigest()

    def device_key(self, device_id: str) -> str:
        return hashlib.blake2b(device_id.encode(), key=self._key, person=b"device").hexdigest()


class Pseudonyms:
    """BLAKE2b-64 in hex, keyed with 32 random bytes that are never written anywhere.

    A bear's device id is part of its child's personal data; commits and audit records stay when the
    child is erased. So a bear is recorded under a pseudonym that only the process which gave it
    could find again: while that runs, all that one bear does stands under one name, and afterwards
    nobody can find out which bear it was, not even by guessing its id.
    """

    __slots__ = ("_key",)

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def given(self, principal: Principal) -> Principal:
        """The same principal; a bear with its pseudonym."""
        if principal.role is not Role.DEVICE:
            return principal
        return principal._replace(alias=_name(principal.subject, self._key, PSEUDONYM_BYTES))


def older_alias(index_key: bytes, device_id: str) -> str:
    """As earlier releases recorded the bear: by a hash that the index key finds again."""
    return _name(device_id, index_key, OLDER_ALIAS_BYTES)


def _name(device_id: str, key: bytes, size: int) -> str:
    digest = hashlib.blake2b(device_id.encode(), digest_size=size, key=key, person=b"bear")
    return f"bear-{digest.hexdigest()}"
