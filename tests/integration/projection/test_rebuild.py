"""A rebuild on real stores: what it makes, what it refuses, and that it can end anywhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio

from projection_worker.consuming.store_lag import StoreLag, StoreWatch
from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.generations import KeptGenerations
from projection_worker.projections import registry
from projection_worker.projections.registry import Folding
from projection_worker.replay.rebuild import processes
from projection_worker.replay.rebuild.cutover import Cutover, NotCaughtUp
from projection_worker.replay.rebuild.ledger import Kind, Ledger, Plan, Source
from projection_worker.replay.rebuild.rebuild import (
    AnotherRebuild,
    Rebuild,
    RebuildFailed,
    RebuildRefused,
    lead,
)
from projection_worker.replay.rebuild.slices import slices_of_store
from projection_worker.session import Stores, open_stores
from projection_worker.settings import WorkerSettings
from shared.clock import utc_now
from shared.events.child import ChildEvent, Severity
from shared.keyring.key_store import MongoKeyStore
from shared.read_models import heartbeats
from shared.read_models.deliveries import deliveries
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import Generation, begin_catalog, live_generation, read_catalog
from shared.read_models.heartbeats import Heartbeats
from shared.read_models.indexes import stale_since
from tests.support.commits import an_offer
from tests.support.key_files import create_key_files
from tests.support.processes import store_settings
from tests.support.projection_facts import MIA, erased, message, registered, reported, started
from tests.support.projection_side import ProjectionSide
from tests.support.waiting import eventually

FIRST, SECOND = Generation(1), Generation(2)


class World:
    """Facts in a real event store, workers that write what they are handed, and rebuilds."""

    def __init__(self, on: Stores) -> None:
        self.on = on
        self.side = ProjectionSide(on.read, on.database)
        self.side.store, self.side.keyring, self.side.index = on.store, on.keyring, on.index
        self.side.keys = MongoKeyStore(on.keys.database(WorkerSettings().keys_database))
        self.workers = KeptGenerations(on.database, self.side.another_projector)

    async def happened(self, *events: ChildEvent) -> None:
        """The events are facts, and workers have seen them."""
        await self.workers.project(await self.side.happened(*events))

    def rebuild(self, rate: float | None = None) -> Rebuild:
        return Rebuild(self.on, 1, rate)

    async def rebuilt(self, models: frozenset[Model] = ALL_MODELS) -> None:
        await self.rebuild().begin(models, Source.STORE)

    async def documents(self, generation: Generation, model: Model) -> list[dict[str, Any]]:
        found = generation.collection(self.on.database, model).find({}).sort("_id", 1)
        return await found.to_list(None)

    async def of_live(self, model: Model) -> list[dict[str, Any]]:
        return await self.documents(await live_generation(self.on.database), model)

    async def change(self, generation: Generation, model: Model, **fields: Any) -> None:
        """Make a document of Mia something that no event tells."""
        collection = generation.collection(self.on.database, model)
        await collection.update_one({"_id": {"$regex": MIA}}, {"$set": fields})


def world_settings(
    folder: Path, mongo_url: str, database: str, kafka_bootstrap: str
) -> dict[str, str]:
    """All stores are one database here; the key files lie in `folder`."""
    settings = {**create_key_files(folder), **store_settings(mongo_url, database)}
    return {**settings, "TEDDY_KAFKA_BOOTSTRAP": kafka_bootstrap}


@pytest_asyncio.fixture
async def world(
    mongo_url: str,
    kafka_bootstrap: str,
    fresh_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[World]:
    settings = world_settings(tmp_path, mongo_url, fresh_database, kafka_bootstrap)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    async with open_stores(WorkerSettings()) as on:
        await begin_catalog(on.database, registry.VERSION)
        yield World(on)
        await on.store.close()


async def test_the_next_generation_is_what_the_live_one_is_and_takes_its_place(
    world: World,
) -> None:
    await world.happened(
        registered(), started(), message(), reported(1, Severity.CRITICAL), another("emma")
    )

    await world.rebuilt()

    assert await live_generation(world.on.database) == SECOND
    for model in ALL_MODELS - {Model.SYSTEM}:
        assert await world.documents(SECOND, model) == await world.documents(FIRST, model)
    assert (await world.side.on_generation(SECOND).verify()).clean


async def test_what_no_event_tells_is_gone_after_a_rebuild(world: World) -> None:
    await world.happened(registered(), started())
    await world.change(FIRST, Model.CHILDREN, age=99)

    await world.rebuilt()

    (child,) = await world.of_live(Model.CHILDREN)
    assert child["age"] == 6


async def test_models_that_were_not_chosen_stay_as_they_are(world: World) -> None:
    # given two models that are not what the events say
    await world.happened(registered(), started(), reported(1, Severity.LOW))
    await world.change(FIRST, Model.SAFETY, total_violations=77)
    await world.change(FIRST, Model.ACTIVITY, messages=55)

    await world.rebuilt(frozenset({Model.SAFETY}))

    assert [s["total_violations"] for s in await world.of_live(Model.SAFETY)] == [1]
    assert [a["messages"] for a in await world.of_live(Model.ACTIVITY)] == [55]
    await world.happened(message())
    assert [c["version"] for c in await world.of_live(Model.CHILDREN)] == [4]


async def test_an_erased_child_stays_erased(world: World) -> None:
    await world.happened(registered(), started(), erased())

    await world.rebuilt()

    assert [c["status"] for c in await world.of_live(Model.CHILDREN)] == ["erased"]
    assert await world.of_live(Model.CONVERSATIONS) == []


async def test_when_alerts_were_delivered_goes_over(world: World) -> None:
    await world.happened(registered(), reported(1, Severity.CRITICAL))
    (alert,) = await world.of_live(Model.ALERTS)
    await world.side.delivered(alert["_id"])
    (noted,) = [a["delivered"] for a in await world.of_live(Model.ALERTS)]

    await world.rebuilt()

    assert [a["delivered"] for a in await world.of_live(Model.ALERTS)] == [noted]
    assert list(noted) == ["in_app"]


async def test_nobody_is_notified_of_an_alert_that_only_a_rebuild_found(world: World) -> None:
    # given a violation of which older projections raised no alert, and one that waits to be told
    happened: list[ChildEvent] = [registered(), *(reported(n, Severity.CRITICAL) for n in (1, 2))]
    batch = await world.side.happened(*happened)
    await world.workers.project(batch)
    old, waiting = await world.of_live(Model.ALERTS)
    await FIRST.collection(world.on.database, Model.ALERTS).delete_one({"_id": old["_id"]})
    await deliveries(world.on.database).delete_many({"alert_id": old["_id"]})
    await world.rebuilt()
    # when the facts come again
    projected = await world.workers.project(batch)
    # then
    assert [a["_id"] for a in await world.of_live(Model.ALERTS)] == [old["_id"], waiting["_id"]]
    assert [alert["_id"] for alert in projected.alerts] == [waiting["_id"]]
    # when it was told
    await world.side.delivered(waiting["_id"])
    # then
    assert (await world.workers.project(batch)).alerts == ()


async def test_a_child_that_older_folds_refused_is_whole_after_a_rebuild(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a child that an older release dead-lettered
    fold = Folding.add

    def refusing(folding: Folding, event: ChildEvent, version: int, event_id: str) -> None:
        if version == 2:
            raise ValueError("of a conversation that was never started")
        fold(folding, event, version, event_id)

    with monkeypatch.context() as older:
        older.setattr(Folding, "add", refusing)
        await world.happened(registered(), reported(1, conversation_id="nobody-knows"), message())
    assert await stale_since(world.on.database, FIRST, [MIA])
    # when
    await world.rebuilt()
    # then
    assert [child["version"] for child in await world.of_live(Model.CHILDREN)] == [3]
    assert await stale_since(world.on.database, SECOND, [MIA]) == {}
    assert (await world.side.on_generation(SECOND).verify()).clean


async def test_workers_and_a_rebuild_fill_a_generation_together(world: World) -> None:
    # given a rebuild that is slow, and workers that go on
    for number in range(30):
        await world.happened(another(f"child-{number:02}"))
    building = asyncio.create_task(world.rebuild(rate=60).begin(ALL_MODELS, Source.STORE))
    await eventually(
        lambda: read_catalog(world.on.database), wanted=lambda now: now.unfinished is not None
    )

    for number in range(0, 30, 3):
        await world.happened(replace(started(), child_id=f"child-{number:02}"))
    await building

    assert await live_generation(world.on.database) == SECOND
    assert (await world.side.on_generation(SECOND).verify()).clean


async def test_a_rebuild_that_ended_goes_on_where_it_was(world: World) -> None:
    # given a rebuild that ended in the middle of building
    for number in range(12):
        await world.happened(another(f"child-{number:02}"))
    slow = asyncio.create_task(world.rebuild(rate=1).begin(ALL_MODELS, Source.STORE))
    ledger = Ledger(world.on.database)
    await eventually(lambda: ledger.tally(SECOND, Kind.CHILDREN), 20, lambda tally: tally.built > 0)
    slow.cancel()
    with suppress(asyncio.CancelledError):
        await slow
    with pytest.raises(RebuildRefused, match="generation 2 is unfinished"):
        await world.rebuilt()

    await world.rebuild().resume()

    assert await live_generation(world.on.database) == SECOND
    assert (await world.side.on_generation(SECOND).verify()).clean


async def test_without_an_unfinished_rebuild_there_is_nothing_to_resume(world: World) -> None:
    with pytest.raises(RebuildRefused, match="generation 1 is live, none is unfinished"):
        await world.rebuild().resume()


async def test_of_two_rebuilds_the_second_refuses(world: World) -> None:
    entered, end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        entered.set()
        await end.wait()

    first = asyncio.create_task(lead(world.on.database, work))
    await entered.wait()
    with pytest.raises(AnotherRebuild):
        await lead(world.on.database, work)
    end.set()
    await first

    await lead(world.on.database, AsyncMock())


async def test_a_generation_that_is_not_what_the_events_say_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a document that is spoilt between building and verifying
    monkeypatch.setattr(processes, "SETTLE_SECONDS", 0.2)
    await world.happened(registered(), started())
    plan = Plan(SECOND, registry.VERSION, Source.STORE, ALL_MODELS, utc_now())
    ledger = Ledger(world.on.database)
    await ledger.begin(plan)
    await ledger.cut(SECOND, await slices_of_store(world.on.commits, SECOND))
    mine = processes.ShareOfRebuild(world.on, plan, processes.Share(0, 1))
    await mine.build()
    await world.change(SECOND, Model.CHILDREN, age=99)

    with pytest.raises(processes.ReadModelsDiffer, match=f"children/{MIA} age"):
        await mine.verify()

    assert (await ledger.tally(SECOND, Kind.CHILDREN)).verified == 0


async def test_commits_that_only_keep_a_key_are_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given the newest commits are such, so many that slices end among them
    monkeypatch.setattr("projection_worker.replay.rebuild.slices.COMMITS_A_SLICE", 3)
    await world.happened(registered(), started(), another("emma"))
    children = {commit.child_id: commit.position async for commit in world.on.store.scan()}
    for number in range(12):
        for child_id, last in children.items():
            kept = an_offer(child_id, last, events=0, key=f"{child_id}-{number}")
            await world.on.store.append(kept)
    # when
    slices = await slices_of_store(world.on.commits, SECOND)
    lag = StoreLag()
    await StoreWatch(world.on.commits, world.on.database, lag).measure()
    await world.rebuilt()
    # then
    assert {one.end for one in slices} <= {"", *children}
    assert (lag.events, lag.through is None) == (0, False)
    assert await live_generation(world.on.database) == SECOND
    assert [one["_id"] for one in await world.of_live(Model.CHILDREN)] == sorted(children)


async def test_a_child_that_cannot_be_folded_any_more_keeps_a_rebuild_from_going_live(
    world: World,
) -> None:
    await world.happened(registered(), another("emma"))
    await _make_unreadable(world, MIA)

    with pytest.raises(
        RebuildFailed, match=f"1 children of the live generation cannot be folded, first {MIA}"
    ):
        await world.rebuilt()

    assert await live_generation(world.on.database) == FIRST


async def test_a_child_that_is_dead_lettered_already_does_not(world: World) -> None:
    await world.happened(registered(), another("emma"))
    await _make_unreadable(world, MIA)
    await DeadLetters(world.on.database, utc_now, FIRST).mark({MIA: "it was poison before"})

    await world.rebuilt()

    assert await live_generation(world.on.database) == SECOND


async def test_a_rollback_loses_nothing_that_happened_since(world: World) -> None:
    await world.happened(registered())
    await world.rebuilt()
    await world.happened(started())

    catalog = await read_catalog(world.on.database)
    await Cutover(world.on.database).flip(catalog, FIRST)

    assert [c["version"] for c in await world.of_live(Model.CHILDREN)] == [2]


async def test_what_is_dropped_leaves_no_collection(world: World) -> None:
    await world.happened(registered())
    await world.rebuilt()
    catalog = await read_catalog(world.on.database)

    await Cutover(world.on.database).drop(catalog, [FIRST])

    names = await world.on.database.list_collection_names()
    assert not [name for name in names if name.endswith("__g1")]
    assert [kept.generation for kept in (await read_catalog(world.on.database)).kept] == [SECOND]


async def test_a_generation_of_other_projections_goes_live_only_with_workers_that_write_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a program whose projections are newer than the live generation's
    await world.happened(registered())
    older, newer = registry.VERSION, registry.VERSION + 1
    monkeypatch.setattr(registry, "VERSION", newer)

    with pytest.raises(NotCaughtUp, match=f"no worker of projections {newer}"):
        await world.rebuilt()
    # who answers once, while workers answer every second
    monkeypatch.setattr(heartbeats, "SEEN_SECONDS", 600)
    await Heartbeats(world.on.database).beat("a-new-worker", newer)
    await world.rebuild().resume()

    catalog = await read_catalog(world.on.database)
    assert catalog.live == SECOND
    assert [kept.projections for kept in catalog.kept] == [older, newer]
    assert not catalog.held


def another(child_id: str) -> ChildEvent:
    return replace(registered(), child_id=child_id)


async def _make_unreadable(world: World, child_id: str) -> None:
    unknown = {"$set": {"events.0.type": "NobodyKnowsThis"}}
    await world.on.commits["commits"].update_one({"child_id": child_id}, unknown)
