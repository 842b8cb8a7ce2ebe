"""Snapshots bound how much of a stream is read again."""

from dataclasses import replace
from typing import Any

import pytest

from command_service.aggregates.snapshot_layout import SCHEMA, to_lines
from command_service.application import Tuning
from command_service.child.decider import evolve
from command_service.child.state import Child
from shared.event_store.envelope import EncodedEvent, verify_chain
from shared.event_store.port import Snapshot
from tests.fakes.event_store import MemoryEventStore
from tests.support.child_facts import (
    ADA,
    ALLOWED,
    CONFIGURE,
    DEACTIVATE,
    DEACTIVATED,
    END,
    REGISTER,
    REPORT,
    REPORTED,
    RESOLVED,
    START,
    STARTED,
    update,
)
from tests.support.command_side import CommandSide, Database
from tests.support.consents import BORN
from tests.support.flaky_stores import UnreachableSnapshotStore
from tests.support.snapshot_side import from_lines

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
    side = CommandSide(database, tuning=Tuning(snapshot_every=100))
    for command in (REGISTER, START):
        await side.do(command)
    # when
    older = CommandSide(database, tuning=EVERY_TWO)
    for later in (REPORT, CONFIGURE, DEACTIVATE):
        await older.do(later)
    # then
    assert await database.snapshots.latest(ADA) is None


async def test_a_snapshot_is_sealed():
    side = CommandSide(tuning=EVERY_TWO)
    await side.do(REGISTER)
    await side.do(START)
    snapshot = await side.database.snapshots.latest(ADA)
    assert "Ada" not in str(snapshot)
    assert "TEDDY" not in str(snapshot)


async def test_another_process_reads_only_what_came_after_the_snapshot():
    # given
    store = CountingEventStore()
    database = Database(events=store)
    first = CommandSide(database, tuning=EVERY_TWO)
    for command in (REGISTER, START, REPORT):
        await first.do(command)
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
    first = CommandSide(database, tuning=EVERY_TWO)
    for command in (REGISTER, START, REPORT):
        await first.do(command)
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
    first = CommandSide(database, tuning=EVERY_TWO)
    await first.do(REGISTER)
    await first.do(START)
    cipher = await first.keyring.cipher(ADA)
    assert cipher is not None
    sealed = cipher.seal(rubbish, "snapshot@9\0\0000.")
    await database.snapshots.save(Snapshot(ADA, 9, "", SCHEMA, (sealed,)))
    # when, then
    assert (await CommandSide(database).do(END)).version == BORN + 2


async def test_a_snapshot_that_cannot_be_saved_fails_no_command():
    side = CommandSide(Database(snapshots=UnreachableSnapshotStore()), tuning=EVERY_TWO)
    await side.do(REGISTER)
    result = await side.do(update(age=8))
    assert result.version == BORN + 1
