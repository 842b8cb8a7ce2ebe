"""What must not be anywhere: other families in an answer, personal values in any text. Children's
names tell their family, so that any text gives away what leaked into it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from shared.auth.access import Role
from shared.event_store.envelope import Commit
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


_WORD = re.compile(r"[\w-]+")


def strangers_in_answers(
    history: Sequence[Entry], commits: Mapping[str, Sequence[Commit]]
) -> Iterator[str]:
    """Answers to a parent, refusals too, with an id or a name of another family. `commits`: by
    child, so that one whose registration nobody heard of has its family, too."""
    family = {child_id: stored[0].actor.subject for child_id, stored in commits.items() if stored}
    for entry in history:
        if entry.accepted and entry.method == "POST" and entry.path == "/v1/children":
            family[entry.answer["child_id"]] = entry.subject
            family[entry.subject] = entry.subject
    for entry in history:
        if entry.method == "GET" and entry.role == Role.PARENT:
            for what in _strangers(entry, family):
                yield f"{entry.subject} read {entry.path} ({entry.status}) and was told {what}"


def personal_values(texts: Mapping[str, bytes], canaries: Sequence[str]) -> Iterator[str]:
    for place, text in texts.items():
        for canary in canaries:
            if canary.encode() in text:
                yield f"{place} holds the personal value {canary!r}"


def _strangers(entry: Entry, family: Mapping[str, str]) -> Iterator[str]:
    text = orjson.dumps(entry.answer).decode()
    words = set(_WORD.findall(text))
    if not entry.accepted:
        words -= set(_WORD.findall(entry.path))  # what was asked for is no news
    yield from (word for word in words if family.get(word, entry.subject) != entry.subject)
    yield from (c for c in _children(entry.answer) if c not in family)
    yield from (f"a child of {p}" for p in set(_CANARY.findall(text)) if p != entry.subject)


def _children(answer: Any) -> Iterator[str]:
    """Every value of a field `child_id`, however deep."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name == "child_id" and isinstance(value, str):
                yield value
            yield from _children(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from _children(value)
