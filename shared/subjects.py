"""Ids that token issuers give to parents and bears, in their one form.

Visible ASCII, as OpenID Connect has it of a `sub`, without the two slashes: so every subject is one
segment of a path, looks like no other, and nothing has to be trimmed or folded before two of them
are compared.
"""

import re

MAX_SUBJECT_CHARACTERS = 128
SUBJECT = rf"[!-.0-\[\]-~]{{1,{MAX_SUBJECT_CHARACTERS}}}"
SUBJECT_LIMIT = f"1..{MAX_SUBJECT_CHARACTERS} visible ASCII characters but / and \\"

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
