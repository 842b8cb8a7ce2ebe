"""Who acts: subjects, roles, and their pseudonyms in what is kept."""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_SUBJECT_CHARACTERS = 128
SUBJECT = rf"[!-.0-\[\]-~]{{1,{MAX_SUBJECT_CHARACTERS}}}"
SUBJECT_LIMIT = f"1..{MAX_SUBJECT_CHARACTERS} visible ASCII characters except / and \\"

_SUBJECT = re.compile(SUBJECT)
_STEPS = frozenset({".", ".."})


def in_one_case(bear: str) -> str:
    """A bear's UDID or device id as it is reserved: ids that differ by case only are one bear's.

    Upper case, in which serial numbers are printed. UDIDs of other letters than ASCII, which were
    taken once, are reserved as they are.
    """
    return bear.upper() if bear.isascii() else bear


def is_subject(text: str) -> bool:
    """Whether a token may name `text`, and a child may have it as its parent or bear."""
    return _SUBJECT.fullmatch(text) is not None and text not in _STEPS


class Role(StrEnum):
    PARENT = "parent"
    DEVICE = "device"
    SAFETY_OFFICER = "safety_officer"
    ANALYST = "analyst"
    ADMIN = "admin"


UNNAMED_BEAR = "bear"


@dataclass(frozen=True, slots=True)
class Principal:
    """The subject and role of a verified token. For a parent the subject is the parent id, for a
    device the bear's device id. Whose child it is comes from the data, never from the token.
    `alias`: a bear's other name, see shared/auth/principal.py."""

    subject: str
    role: Role
    alias: str = UNNAMED_BEAR

    @property
    def on_record(self) -> str:
        """The subject as whatever is kept may name it: a bear's id is its child's own."""
        return self.alias if self.role is Role.DEVICE else self.subject


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
