"""Names that tell whose child bears them, so that any text gives away what leaked into it."""

import re
from collections.abc import Sequence

from tests.faults.history import Entry

_CANARY = re.compile(r"kanari ([\w-]+)")
_PARENT = re.compile(r"load-parent-[0-9a-f]{8}")
_UDID = re.compile(r"load-udid-[0-9a-f]{8}")


def canary_of(parent_id: str) -> str:
    """A child's name, of this family and no other."""
    return f"kanari {parent_id}"


def canaries_of(history: Sequence[Entry]) -> list[str]:
    """How the names and the udids of all children begin that the load of this run made up."""
    sent = [entry for entry in history if entry.is_command]
    parents = {one[0] for one in map(_PARENT.match, (e.subject for e in sent)) if one}
    udids = {one[0] for one in map(_UDID.match, (e.key or "" for e in sent)) if one}
    return sorted(udids | {canary_of(parent) for parent in parents})


def canaries_in(text: str) -> set[str]:
    """The parents whose children's names are in `text`."""
    return set(_CANARY.findall(text))
