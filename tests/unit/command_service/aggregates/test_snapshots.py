"""Snapshots bound how much of a stream is read again; large ones are read and taken by a task."""

from dataclasses import replace
from typing import Any

import pytest

from command_service.aggregates.repository import AggregateCache, Aggregates
from command_service.aggregates.snapshot_layout import SCHEMA, to_lines
from command_service.aggregates.snapshots import IDS_AN_EVENT, IDS_AT_ONCE, LoadedChild
from command_service.application import Tuning
from command_service.bus.errors import ChildLoading
from command_service.child.decider import evolve
from command_service.child.state import Child
from shared.event_store.envelope import Actor, Causality, EncodedEvent, NewCommit, verify_chain
from shared.event_store.port import Snapshot
from shared.keyring.key_file import FileKeyProvider
from shared.keyring.keyring import Keyring
from shared.serialization.events import encode
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.keys import MemoryKeyStore
from tests.support.child_facts import (
    ADA,
    ALLOWED,
    CONFIGURE,
    DEACTIVATE,
    DEACTIVATED,
    END,
    ERASED,
    NOON,
    REGISTER,
    REPORT,
    REPORTED,
    RESOLVED,
    START,
    STARTED,
    update,
)
from tests.support.command_side import KEYS, CommandSide, Database
from tests.support.consents import BORN
from tests.support.flaky_stores import UnreachableSnapshotStore
from tests.support.snapshot_side import POSITION, Side, folded, from_lines, with_open_violations
from tests.support.waiting import eventually

EVERY_TWO = Tuning(snapshot_every=2)


class CountingEventStore(MemoryEventStore):
    """Remembers from which version on streams were loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded_after: list[int] = []

    async def load(self, child_id: str, after_version: int = 0, limit: int | None = None):
        self.loaded_after.append(after_version)
        return await super().load(child_id, after_version, limit)


def test_a_child_survives_its_snapshot():
    child = Child()
    for event in (*ALLOWED, STARTED, REPORTED, RESOLVED, DEACTIVATED):
        child = evolve(child, event)
    assert from_lines(to_lines(child)) == child
    assert from_lines(to_lines(Child())) == Child()


async def test_a_snapshot_is_taken_every_so_many_events():
    # given
    side = CommandSide(tuning=EVERY_TWO)
    versions = []
    # when
    for command in (REGISTER, START, REPORT, CONFIGURE, END):
        await side.do(command)
        snapshot = await side.database.snapshots.latest(ADA)
        versions.append(snapshot and snapshot.version)
    # then
    assert versions == [BORN, BORN, BORN + 2, BORN + 2, BORN + 4]


class LaterEventStore(MemoryEventStore):
    """Has a conversation's beginning as an event of a type that this release does not know."""

    async def load(self, child_id: str, after_version: int = 0, limit: int | None = None):
        return [
            replace(commit, events=tuple(map(_of_a_later_release, commit.events)))
            for commit in await super().load(child_id, after_version, limit)
        ]


def _of_a_later_release(event: EncodedEvent) -> EncodedEvent:
    return replace(event, type="OfALaterRelease") if event.type == "ConversationStarted" else event


async def test_no_snapshot_hides_an_event_from_the_release_that_knows_it():
    # given a child with an event of a later release
    database = Database(events=LaterEventStore())
    await CommandSide(database, tuning=Tuning(snapshot_every=100)).given(REGISTER, START)
    await CommandSide(database, tuning=EVERY_TWO).given(REPORT, CONFIGURE, DEACTIVATE)
    assert await database.snapshots.latest(ADA) is None


async def test_a_snapshot_is_sealed():
    side = await CommandSide(tuning=EVERY_TWO).given(REGISTER, START)
    snapshot = await side.database.snapshots.latest(ADA)
    assert "Ada" not in str(snapshot)
    assert "TEDDY" not in str(snapshot)


async def test_another_process_reads_only_what_came_after_the_snapshot():
    # given
    store = CountingEventStore()
    database = Database(events=store)
    await CommandSide(database, tuning=EVERY_TWO).given(REGISTER, START, REPORT)
    store.loaded_after.clear()
    # when
    result = await CommandSide(database, tuning=EVERY_TWO).do(END)
    # then
    assert result.version == BORN + 3
    assert store.loaded_after == [BORN + 2]


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": "child/0"},
        {"parts": ("bm90IHNlYWxlZA==",)},
        {"parts": ("?",)},
        {"version": 3},
        {"hash": "0" * 64},
    ],
    ids=["older layout", "not sealed", "not base64", "moved", "hash of another commit"],
)
async def test_a_snapshot_that_does_not_open_is_ignored_and_made_again(damage: dict[str, Any]):
    # given
    database = Database()
    await CommandSide(database, tuning=EVERY_TWO).given(REGISTER, START, REPORT)
    whole = await database.snapshots.latest(ADA)
    assert isinstance(whole, Snapshot)
    await database.snapshots.delete(ADA)
    await database.snapshots.save(replace(whole, **damage))
    # when
    second = CommandSide(database, tuning=EVERY_TWO)
    result = await second.do(END)
    # then
    assert result.version == BORN + 3
    remade = await database.snapshots.latest(ADA)
    assert (remade.version, remade.schema) == (BORN + 3, SCHEMA)
    verify_chain(await database.events.load(ADA))


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b'{"status": "dreaming"}\n',
        next(to_lines(Child())) + b'["dreams", []]\n',
        next(to_lines(Child())) + b'["open_violations", [["one"]]]\n',
    ],
)
async def test_a_snapshot_of_rubbish_is_ignored(rubbish: bytes):
    # given
    database = Database()
    first = await CommandSide(database, tuning=EVERY_TWO).given(REGISTER, START)
    cipher = await first.keyring.cipher(ADA)
    assert cipher is not None
    sealed = cipher.seal(rubbish, "snapshot@9\0\0000.")
    await database.snapshots.save(Snapshot(ADA, 9, "", SCHEMA, (sealed,)))
    # when, then
    assert (await CommandSide(database).do(END)).version == BORN + 2


async def test_a_snapshot_that_cannot_be_saved_fails_no_command():
    side = await CommandSide(
        Database(snapshots=UnreachableSnapshotStore()), tuning=EVERY_TWO
    ).given(REGISTER)
    result = await side.do(update(age=8))
    assert result.version == BORN + 1


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


async def test_of_an_erased_child_no_snapshot_is_taken_or_stays():
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
    await side.take(with_open_violations(1))
    assert side.store.saved
    assert not await side.store.kept_of([ADA])
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
