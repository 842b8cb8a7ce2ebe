"""One child with a long history: built, verified, caught up and shown piece by piece."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from projection_worker.projecting.projector import Projected
from projection_worker.projecting.sequencing import REFILL_COMMITS
from projection_worker.records import Delivered
from projection_worker.replay.rebuild.ledger import Kind, Ledger, Source
from projection_worker.replay.rebuild.processes import ProcessFailed, Share, ShareOfRebuild
from projection_worker.replay.rebuild.rebuild import RebuildFailed
from shared.clock import new_id
from shared.event_store.envelope import Commit
from shared.event_store.mongo import MongoEventStore
from shared.event_store.port import PAGE, EventStore
from shared.fault_points import VARIABLE, FaultPoint, arm
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import live_generation
from shared.read_models.indexes import stale_since
from tests.integration.projection.test_rebuild import FIRST, SECOND, World, another, world
from tests.support.histories import history, insert_history
from tests.support.projection_facts import MIA, NOON, erased, started
from tests.support.projection_side import delivered_of

__all__ = ["world"]

EVENTS = 2 * PAGE + 500
UNREADABLE = PAGE + 7
ACROSS_PIECES = [1, 2, PAGE, PAGE + 1, EVENTS - 1, EVENTS]


class LongWorld(World):
    """Mia has a long history in the event store, of which no worker has seen anything."""

    async def lived(self, unreadable: int = 0) -> None:
        """The event at the version `unreadable` cannot be read."""
        happened = history(MIA, EVENTS, NOON)
        position = await insert_history(self.on.commits, self.on.keyring, MIA, happened, unreadable)
        self.side.went_on_from(MIA, position)

    async def delivered(self, version: int) -> Delivered:
        """The record of one event of Mia."""
        (commit,) = await self.on.store.load(MIA, version - 1, 1)
        (event,) = commit.recorded_events()
        return delivered_of(event, version)

    async def caught_up(self, *batch: Delivered) -> list[Projected]:
        """What workers came to, until nothing of `batch` waits any more."""
        rounds = [await self.workers.project(batch)]
        while rounds[-1].waiting:
            rounds.append(await self.workers.project(rounds[-1].waiting))
        return rounds

    async def goes_on(self) -> None:
        """One more conversation begins, and workers have seen it."""
        await self.caught_up(*await self.side.happened(started(new_id())))

    async def spoil_commit(self, version: int, change: dict[str, Any]) -> None:
        commits = self.on.commits["commits"]
        changed = await commits.update_one({"child_id": MIA, "first_version": version}, change)
        assert changed.modified_count == 1


@pytest_asyncio.fixture
async def long(world: World) -> LongWorld:
    made = LongWorld(world.on)
    await made.lived()
    return made


@pytest_asyncio.fixture
async def unreadable(world: World) -> LongWorld:
    """As `long`, with an event in the second piece that nobody can read."""
    made = LongWorld(world.on)
    await made.lived(unreadable=UNREADABLE)
    return made


class WatchedStore:
    """Remembers from where pages of a child were read."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.read_after: list[int] = []

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        self.read_after.append(after_version)
        return await self._store.load(child_id, after_version, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_worker_and_a_rebuild_make_the_same_of_it(long: LongWorld) -> None:
    await long.caught_up(await long.delivered(EVENTS))

    await long.rebuilt()

    assert await live_generation(long.on.database) == SECOND
    for model in ALL_MODELS - {Model.SYSTEM}:
        assert await long.documents(SECOND, model) == await long.documents(FIRST, model)
    found = await long.side.on_generation(SECOND).verify()
    assert found.clean
    assert (found.children, found.events) == (1, EVENTS)


async def test_a_large_gap_is_filled_part_by_part_and_nobody_waits_for_all_of_it(
    long: LongWorld,
) -> None:
    # given a batch with a child that lacks thousands of events, and with another one
    late = await long.delivered(EVENTS)
    (other,) = await long.side.happened(another("emma"))
    # when
    rounds = [await long.workers.project([late, other])]
    # then the other one is there, told and done with
    children = {one["_id"]: one["version"] for one in await long.of_live(Model.CHILDREN)}
    assert children == {MIA: REFILL_COMMITS, "emma": 1}
    assert {notice.child_id for notice in rounds[0].notices} == {MIA, "emma"}
    assert rounds[0].waiting == (late,)
    # when what waits comes again
    rounds += await long.caught_up(*rounds[0].waiting)
    # then
    assert [one.applied for one in rounds] == [1 + REFILL_COMMITS, REFILL_COMMITS, 500]
    assert (await long.side.verify()).clean


async def test_what_cannot_be_read_in_a_large_gap_dead_letters_what_waits_behind_it(
    unreadable: LongWorld,
) -> None:
    late = await unreadable.delivered(EVENTS)

    *_, last = await unreadable.caught_up(late)

    assert [one.raw for one in last.dead_lettered] == [late.raw]
    assert "NobodyKnowsThis" in last.dead_lettered[0].reason
    assert [one["version"] for one in await unreadable.of_live(Model.CHILDREN)] == [UNREADABLE - 1]
    assert await stale_since(unreadable.on.database, FIRST, [MIA])


async def test_a_rebuild_that_is_killed_inside_it_goes_on_there(
    long: LongWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a rebuild that dies behind the first piece
    folder = tmp_path / "faults"
    folder.mkdir()
    monkeypatch.setenv(VARIABLE, str(folder))
    arm(folder, FaultPoint.REBUILD_INSIDE_CHILD)
    with pytest.raises(ProcessFailed):
        await long.rebuilt()
    stands, *_ = await Ledger(long.on.database).slices(SECOND)
    assert (stands.inside, stands.inside_version, stands.events_done) == (MIA, PAGE, PAGE)
    # when another process goes on
    plan = await Ledger(long.on.database).plan(SECOND)
    assert plan is not None
    store = WatchedStore(long.on.store)
    on = replace(long.on, store=cast(MongoEventStore, store))
    await ShareOfRebuild(on, plan, Share(0, 1)).build()
    # then it reads nothing of the first piece
    assert min(store.read_after) == PAGE
    assert (await Ledger(long.on.database).tally(SECOND, Kind.CHILDREN)).built == EVENTS
    await long.rebuild().resume()
    assert await live_generation(long.on.database) == SECOND
    assert (await long.side.on_generation(SECOND).verify()).clean


async def test_a_rebuild_and_workers_write_it_at_the_same_time(long: LongWorld) -> None:
    # given a slow rebuild
    building = asyncio.create_task(long.rebuild(rate=1_000).begin(ALL_MODELS, Source.STORE))

    # when Mia's bear goes on talking meanwhile
    while not building.done():
        await long.goes_on()
    await building

    # then
    assert await live_generation(long.on.database) == SECOND
    assert (await long.side.on_generation(SECOND).verify()).clean
    assert (await long.side.on_generation(FIRST).verify()).clean


async def test_an_erased_one_is_built_though_nothing_before_its_end_can_be_read(
    unreadable: LongWorld,
) -> None:
    await unreadable.caught_up(*await unreadable.side.happened(erased()))

    await unreadable.rebuilt()

    (child,) = await unreadable.of_live(Model.CHILDREN)
    assert (child["status"], child["version"]) == ("erased", EVENTS + 1)
    for model in ALL_MODELS - {Model.CHILDREN, Model.SYSTEM}:
        assert await unreadable.of_live(model) == []
    assert (await unreadable.side.on_generation(SECOND).verify()).clean


async def test_one_that_cannot_be_read_in_the_middle_keeps_a_rebuild_from_going_live(
    unreadable: LongWorld,
) -> None:
    with pytest.raises(RebuildFailed, match=f"first {MIA}: UndecodableEvent"):
        await unreadable.rebuilt()

    (child,) = await unreadable.documents(SECOND, Model.CHILDREN)
    assert child["version"] == UNREADABLE - 1
    assert await live_generation(unreadable.on.database) == FIRST


async def test_of_one_that_cannot_be_read_the_rest_of_the_chain_is_looked_at_all_the_same(
    unreadable: LongWorld,
) -> None:
    await unreadable.caught_up(await unreadable.delivered(EVENTS))
    await unreadable.spoil_commit(EVENTS, {"$set": {"actor.subject": "somebody-else"}})

    found = await unreadable.side.verify()

    assert {(one.field, one.found) for one in found.differences} == {
        ("hash", EVENTS),
        ("version", UNREADABLE - 1),
    }


async def test_where_only_some_models_are_folded_anew_a_long_child_is_folded_whole(
    long: LongWorld,
) -> None:
    await long.caught_up(await long.delivered(EVENTS))
    await long.change(FIRST, Model.ACTIVITY, messages=55)

    await long.rebuilt(frozenset({Model.SAFETY}))

    assert (await long.side.on_generation(SECOND).verify()).clean


@pytest.mark.parametrize("version", ACROSS_PIECES)
async def test_a_commit_that_was_altered_is_found_in_any_piece(
    long: LongWorld, version: int
) -> None:
    await long.caught_up(await long.delivered(EVENTS))
    await long.spoil_commit(version, {"$set": {"actor.subject": "somebody-else"}})

    found = await long.side.verify()

    assert [(one.model, one.field, one.found) for one in found.differences] == [
        ("commits", "hash", version)
    ]


@pytest.mark.parametrize("talk", [0, PAGE // 10, (EVENTS - 2) // 10])
async def test_a_document_that_is_not_what_its_events_say_is_found_whichever_piece_made_it(
    long: LongWorld, talk: int
) -> None:
    # given
    await long.caught_up(await long.delivered(EVENTS))
    conversations = FIRST.collection(long.on.database, Model.CONVERSATIONS)
    place = f"{MIA}/talk-{talk}"
    # when it is changed
    await conversations.update_one({"_id": place}, {"$inc": {"message_count": 1}})
    # then
    (changed,) = (await long.side.verify()).differences
    assert (changed.document, changed.field) == (place, "message_count")
    # when it is lost, and one is there that nothing explains
    lost = await conversations.find_one_and_delete({"_id": place})
    assert lost is not None
    await conversations.insert_one({**lost, "_id": f"{MIA}/stray"})
    # then
    found = await long.side.verify()
    assert {(one.document, one.expected, one.found) for one in found.differences} == {
        (f"{MIA}/stray", "absent", "present"),
        (place, "present", "absent"),
    }


async def test_equal_read_models_have_the_same_digest_however_they_were_compared(
    long: LongWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await long.caught_up(await long.delivered(EVENTS))
    in_pages = await long.side.verify()
    with monkeypatch.context() as at_once:
        at_once.setattr("projection_worker.replay.histories.LONGEST", EVENTS)
        whole = await long.side.verify()

    assert in_pages.digest == whole.digest
    assert in_pages.documents == whole.documents


async def test_what_is_behind_is_waited_for_and_then_named(long: LongWorld) -> None:
    # given read models that have seen a part of it
    late = await long.delivered(EVENTS)
    await long.workers.project([late])

    behind = await long.side.verify()
    waiting = asyncio.create_task(long.side.on_generation(FIRST).verify(60.0))
    await asyncio.sleep(0)
    await long.caught_up(late)

    assert [(one.field, one.expected, one.found) for one in behind.differences] == [
        ("version", EVENTS, REFILL_COMMITS)
    ]
    assert (await waiting).clean


async def test_every_event_that_is_read_is_reported(long: LongWorld) -> None:
    await long.caught_up(await long.delivered(EVENTS), *await long.side.happened(another("emma")))
    reported: list[int] = []

    async def seen(events: int) -> None:
        reported.append(events)

    await long.side.on_generation(FIRST).verify(seen=seen)

    assert sum(reported) == EVENTS + 1
    assert max(reported) <= PAGE


async def test_an_erasure_while_it_is_compared_is_no_difference(
    long: LongWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a child that is erased when its stream was read
    await long.caught_up(await long.delivered(EVENTS))
    verifier = long.side.on_generation(FIRST)
    happened = False

    async def seen(_: int) -> None:
        nonlocal happened
        if not happened:
            happened = True
            await long.caught_up(*await long.side.happened(erased()))

    assert (await verifier.verify(seen=seen)).clean
