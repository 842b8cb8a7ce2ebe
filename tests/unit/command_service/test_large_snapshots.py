"""Snapshots of children with many ids: in parts, behind the command, and read by a task."""

import asyncio
from dataclasses import replace
from functools import reduce
from pathlib import Path

import orjson
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from command_service.domain.child.commands import ChildCommand
from command_service.domain.child.evolve import evolve
from command_service.domain.child.newest import Newest
from command_service.domain.child.state import AccountStatus, Child
from command_service.handlers import older_snapshot_layout
from command_service.handlers.aggregate_cache import AggregateCache, LoadedChild
from command_service.handlers.aggregates import Aggregates
from command_service.handlers.errors import ChildLoading
from command_service.handlers.snapshot_layout import IDS_A_LINE
from command_service.handlers.snapshots import IDS_AN_EVENT, IDS_AT_ONCE, Snapshots
from shared.codec import encode
from shared.envelope import Actor, Causality, NewCommit, StreamPosition
from shared.event_store.memory import MemoryEventStore, MemorySnapshotStore
from shared.event_store.port import Snapshot
from shared.events.child import ChildEvent, ConsentPurpose
from shared.keyring.cipher import ChildCipher
from shared.keyring.key_file import FileKeyProvider
from shared.keyring.key_store import MemoryKeyStore
from shared.keyring.keyring import Keyring
from tests.support.child_facts import (
    ACKNOWLEDGED,
    ADA,
    ALLOWED,
    ENDED,
    ERASED,
    NOON,
    REPORTED,
    RESOLVED,
    STARTED,
    withdrawn,
)
from tests.support.command_side import KEYS
from tests.support.event_samples import EVENTS
from tests.support.generated_lives import LIVES, valid_past
from tests.support.waiting import eventually

GOLDEN = Path(__file__).parents[2] / "golden" / "snapshots"
CIPHER = ChildCipher(ADA, bytes(range(32)))
"""Under whose key the golden snapshots are sealed."""

POSITION = StreamPosition(7, "ab" * 32)


def an_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def folded(*events: ChildEvent) -> Child:
    return reduce(evolve, events, Child())


def with_open_violations(number: int) -> Child:
    return folded(*ALLOWED, *(replace(REPORTED, violation_id=an_id(n)) for n in range(number)))


class HeldStore(MemorySnapshotStore):
    """Saves, and gives parts, only while `open` is set; `asked` once somebody waits for that."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[Snapshot] = []
        self.asked, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def save(self, snapshot: Snapshot) -> None:
        await self._wait()
        await super().save(snapshot)
        self.saved.append(snapshot)

    async def parts_of(self, snapshot: Snapshot) -> tuple[str, ...]:
        await self._wait()
        return await super().parts_of(snapshot)

    async def _wait(self) -> None:
        self.asked.set()
        await self.open.wait()


class Side:
    def __init__(self, every: int = 1, part_bytes: int = 10_000) -> None:
        self.store = HeldStore()
        self.events = MemoryEventStore()
        self.snapshots = Snapshots(self.store, self.events, every, part_bytes)

    async def take(self, child: Child, since: int = 10**6) -> LoadedChild:
        loaded = LoadedChild(child, POSITION, since)
        return await self.snapshots.take_behind_a_command(ADA, loaded, CIPHER)

    async def read(self) -> Child | None:
        snapshot = await self.snapshots.find(ADA)
        loaded = None if snapshot is None else await self.snapshots.opened(snapshot, CIPHER)
        return None if loaded is None else loaded.child

    async def is_saved(self) -> bool:
        return bool(self.store.saved)


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
    # given
    large, usual = Side(), Side()
    child = with_open_violations(3 * IDS_A_LINE)
    # when
    await large.take(child)
    await usual.take(with_open_violations(3))
    # then
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


async def test_a_command_does_not_wait_for_the_snapshot_of_a_large_child():
    # given
    side = Side()
    side.store.open.clear()
    child = with_open_violations(IDS_AT_ONCE + 1)
    # when
    loaded = await side.take(child)
    # then
    assert loaded.since_snapshot == 0
    assert not side.store.saved
    side.store.open.set()
    await eventually(side.is_saved)
    assert await side.read() == child


async def test_of_one_child_one_snapshot_is_taken_at_a_time():
    # given
    side = Side()
    side.store.open.clear()
    child = with_open_violations(IDS_AT_ONCE + 1)
    await side.take(child)
    await side.store.asked.wait()
    # when
    again = await side.take(child)
    # then it is due as before
    assert again.since_snapshot == 10**6
    side.store.open.set()
    await eventually(side.is_saved)


async def test_a_child_that_keeps_more_has_its_snapshots_less_often():
    # given
    side = Side(every=2)
    ids = 10 * IDS_AN_EVENT
    child = with_open_violations(ids)
    # when, then
    early = await side.take(child, since=9)
    assert (early.since_snapshot, side.store.saved) == (9, [])
    assert (await side.take(child, since=10)).since_snapshot == 0
    assert (await side.take(with_open_violations(1), since=2)).since_snapshot == 0


async def test_what_is_left_alone_is_not_saved():
    # given
    side = Side()
    side.store.open.clear()
    await side.take(with_open_violations(IDS_AT_ONCE + 1))
    await side.store.asked.wait()
    # when
    await side.snapshots.abandon(ADA)
    side.store.open.set()
    # then
    assert not side.store.saved
    await side.snapshots.abandon(ADA)  # nothing is being taken any more


async def test_of_a_child_who_was_erased_meanwhile_no_snapshot_stays():
    # given an erasure by another process, after this one has folded the child
    side = Side()
    await side.events.append(
        NewCommit(
            child_id=ADA,
            expected=POSITION,
            events=(encode(ERASED, POSITION.version + 1, None),),
            recorded_at=NOON,
            actor=Actor("parent-ada", "parent"),
            causality=Causality("correlation-1"),
        )
    )
    # when
    await side.take(with_open_violations(1))
    # then
    assert side.store.saved
    assert not await side.store.kept_of([ADA])


async def test_no_snapshot_is_taken_of_an_erased_child():
    side = Side()
    await side.take(folded(*ALLOWED, ERASED))
    assert not side.store.saved


async def test_whoever_asks_while_a_large_snapshot_is_read_comes_again():
    # given
    side = Side(part_bytes=1_000)
    keyring = Keyring(FileKeyProvider(KEYS), MemoryKeyStore())
    cipher = await keyring.create(ADA)
    child = with_open_violations(100)
    loaded = LoadedChild(child, POSITION, 10**6)
    await side.snapshots.take_if_due(ADA, loaded, cipher)
    aggregates = Aggregates(
        side.events, keyring, side.snapshots, AggregateCache(10, 10**9), patience_seconds=0.0
    )
    side.store.open.clear()
    # when
    for _ in range(3):
        with pytest.raises(ChildLoading):
            await aggregates.current(ADA)
    side.store.open.set()

    async def is_read() -> bool:
        return aggregates.remembered(ADA) is not None

    await eventually(is_read)
    # then
    current = await aggregates.current(ADA)
    assert current is not None
    assert (current.child, current.position) == (child, POSITION)


async def test_a_snapshot_of_the_release_before_is_read_as_it_was_meant():
    # given
    content = orjson.loads((GOLDEN / "child-3.json").read_bytes())
    payload = content.pop("payload")
    assert content["schema"] == older_snapshot_layout.SCHEMA
    side = Side()
    await side.store.save(Snapshot(**content, parts=(payload,)))
    # when
    child = await side.read()
    # then all that is closed counts as what was closed before
    assert child is not None
    expected = folded(*_life_in_the_golden_snapshot())
    ended, resolved = expected.ended_conversations, expected.resolved_violations
    assert child == replace(
        expected,
        ended_conversations=replace(ended, recent=ended.older, older=ended.recent),
        resolved_violations=replace(resolved, recent=resolved.older, older=resolved.recent),
    )


def _life_in_the_golden_snapshot() -> list[ChildEvent]:
    talks = [an_id(number) for number in range(3)]
    return [
        *ALLOWED,
        STARTED,
        *(replace(each, conversation_id=talk) for talk in talks for each in (STARTED, ENDED)),
        REPORTED,
        ACKNOWLEDGED,
        *(replace(each, violation_id=talk) for talk in talks for each in (REPORTED, RESOLVED)),
        replace(ACKNOWLEDGED, violation_id=talks[0]),
        replace(EVENTS[5], child_id=ADA),
        withdrawn(ConsentPurpose.PERSONALIZATION),
    ]
