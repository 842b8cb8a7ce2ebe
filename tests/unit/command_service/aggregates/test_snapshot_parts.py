"""What a snapshot holds: all of a child, in parts of any size, and what a release before wrote."""

import asyncio
from dataclasses import replace
from functools import reduce
from pathlib import Path

import orjson
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from rpds import HashTrieMap

from command_service.aggregates import older_snapshot_layout
from command_service.aggregates.snapshot_layout import IDS_A_LINE, to_lines
from command_service.aggregates.snapshots import LoadedChild
from command_service.child.account import AccountStatus
from command_service.child.commands import ChildCommand
from command_service.child.decider import evolve
from command_service.child.state import Child, Newest
from shared.clock import iso
from shared.event_store.port import Snapshot
from shared.events.child import ChildEvent, ConsentPurpose
from tests.support.child_facts import (
    ACKNOWLEDGED,
    ADA,
    ALLOWED,
    ENDED,
    REPORTED,
    RESOLVED,
    STARTED,
    TALK,
    withdrawn,
)
from tests.support.generated_lives import LIVES, valid_past
from tests.support.snapshot_side import CIPHER, POSITION, Side, an_id, folded, with_open_violations

GOLDEN = Path(__file__).parents[3] / "golden" / "snapshots"


@settings(max_examples=60, deadline=None)
@over(LIVES, st.integers(1, 200), st.integers(0, 5))
def test_any_child_survives_its_snapshot_in_parts_of_any_size(
    commands: list[ChildCommand], part_bytes: int, more: int
):
    # given
    _, happened = valid_past(commands)
    ids = [an_id(number) for number in range(more)]
    reports = [replace(REPORTED, violation_id=each) for each in ids]
    resolved = [replace(RESOLVED, violation_id=each) for each in ids[2:]]
    ended = [replace(ENDED, conversation_id=each) for each in ids[1:]]
    few = Child(ended_conversations=Newest(2), resolved_violations=Newest(2))
    child = reduce(evolve, (*happened, *reports, *resolved, *ended), few)

    async def again() -> Child | None:
        side = Side(part_bytes=part_bytes)
        await side.snapshots.take_if_due(ADA, LoadedChild(child, POSITION, 1), CIPHER)
        assert all(len(CIPHER.open(*_placed(side, n))) <= part_bytes for n in _parts(side))
        return await side.read()

    # when, then
    if child.status is not AccountStatus.ERASED:
        read = asyncio.run(again())
        assert read is not None
        assert _contents(read) == _contents(child)


def _contents(child: Child) -> Child:
    """Limits are not in a snapshot."""
    return replace(
        child,
        ended_conversations=replace(child.ended_conversations, limit=1),
        resolved_violations=replace(child.resolved_violations, limit=1),
    )


def _parts(side: Side) -> range:
    return range(len(side.store.saved[0].parts))


def _placed(side: Side, number: int) -> tuple[str, str]:
    parts = side.store.saved[0].parts
    last = "." if number == len(parts) - 1 else ""
    return parts[number], f"snapshot@{POSITION.version}\0{POSITION.hash}\0{number}{last}"


async def test_a_large_child_s_snapshot_has_many_parts_and_one_of_a_usual_child_has_one():
    large, usual = Side(), Side()
    child = with_open_violations(3 * IDS_A_LINE)
    await large.take(child)
    await usual.take(with_open_violations(3))
    assert len(large.store.saved[0].parts) > len(usual.store.saved[0].parts) == 1
    assert await large.read() == child


@pytest.mark.parametrize("damage", ["lost", "in another order", "without the last"])
async def test_a_snapshot_whose_parts_are_not_whole_is_ignored(damage: str):
    # given
    side = Side(part_bytes=100)
    await side.take(with_open_violations(10))
    (whole,) = side.store.saved
    first, second, *others, last = whole.parts
    parts = {
        "lost": (),
        "in another order": (second, first, *others, last),
        "without the last": (first, second, *others),
    }[damage]
    # when
    await side.store.delete(ADA)
    await side.store.save(replace(whole, parts=parts))
    # then
    assert await side.read() is None


async def test_a_snapshot_of_before_in_which_a_violation_was_resolved_is_ignored():
    # given
    content = orjson.loads((GOLDEN / "child-3.json").read_bytes())
    payload = content.pop("payload")
    assert content["schema"] == older_snapshot_layout.IN_ONE_TEXT
    side = Side()
    await side.store.save(Snapshot(**content, parts=(payload,)))
    # when, then: nobody would know how, were it reopened
    assert await side.read() is None


OLDER_LIFE = (*ALLOWED, STARTED, REPORTED, ACKNOWLEDGED, withdrawn(ConsentPurpose.PERSONALIZATION))
"""As it could be stored then: without an outcome, and assigned to nobody."""


def test_one_in_which_none_was_resolved_is_read_as_it_was_meant():
    # given
    child = folded(*OLDER_LIFE, replace(STARTED, conversation_id=an_id(1)))
    head = next(to_lines(child))
    text = orjson.loads(head) | {
        "open_conversations": {talk: iso(at) for talk, at in child.open_conversations.items()},
        "used_conversation_ids": [TALK, an_id(1), an_id(2)],
        "violations": {
            one: [each.violation_type, each.severity, False, each.acknowledged]
            for one, each in child.open_violations.items()
        },
    }
    # when
    read = older_snapshot_layout.from_json(orjson.dumps(text))
    # then
    ended = replace(child.ended_conversations, older=HashTrieMap({an_id(2): None}))
    assert read == replace(child, ended_conversations=ended)


@pytest.mark.parametrize("resolved", [(), (replace(RESOLVED, violation_id=an_id(3)),)])
async def test_the_lines_of_before_are_read_if_none_was_resolved(resolved: tuple[ChildEvent, ...]):
    # given
    child = folded(*OLDER_LIFE, *resolved)
    side = Side()
    await side.store.save(_in_older_lines(child))
    # when, then
    assert await side.read() == (None if resolved else child)


def _in_older_lines(child: Child) -> Snapshot:
    head, *lines = to_lines(child)
    older = [head]
    for line in lines:
        kind, entries = orjson.loads(line)
        if "violations" in kind:
            entries = [entry[:4] for entry in entries]
        older.append(orjson.dumps([kind, entries]) + b"\n")
    sealed = CIPHER.seal(b"".join(older), f"snapshot@{POSITION.version}\0{POSITION.hash}\0{0}.")
    schema = older_snapshot_layout.IN_LINES
    return Snapshot(ADA, POSITION.version, POSITION.hash, schema, (sealed,))
