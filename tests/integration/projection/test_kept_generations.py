"""Several generations beside each other: who writes which, in which order, and who hears of it."""

from datetime import timedelta
from typing import Any

import pytest

from projection_worker.projecting.generations import GenerationHeld, KeptGenerations, NothingToWrite
from projection_worker.projecting.projector import Projected
from projection_worker.projections import registry
from shared.clock import utc_now
from shared.events.child import Severity
from shared.read_models.documents import Model
from shared.read_models.generations import (
    POINTER_COLLECTION,
    POINTER_ID,
    Generation,
    KeptGeneration,
    begin_catalog,
    read_catalog,
)
from tests.support.projection_facts import MIA, message, registered, reported, started
from tests.support.projection_side import ProjectionSide

FIRST, SECOND = Generation(1), Generation(2)
LIVE = KeptGeneration(FIRST, registry.VERSION)
FILLING = KeptGeneration(SECOND, registry.VERSION, was_live=False)
OF_NEWER_PROJECTIONS = KeptGeneration(Generation(3), registry.VERSION + 1)


async def test_the_first_generation_belongs_to_the_first_worker(side: ProjectionSide) -> None:
    await begin_catalog(side.database, 7)
    catalog = await begin_catalog(side.database, 8)

    assert catalog.live == FIRST
    assert catalog.kept == (KeptGeneration(FIRST, 7),)
    assert catalog.written_by(8) == ()


async def test_a_pointer_that_names_only_a_generation_keeps_just_that(side: ProjectionSide) -> None:
    await side.database[POINTER_COLLECTION].insert_one({"_id": POINTER_ID, "generation": 3})

    catalog = await read_catalog(side.database)

    assert catalog.written_by(1) == (Generation(3),)
    assert not catalog.held


async def test_a_batch_reaches_every_generation_of_this_version(side: ProjectionSide) -> None:
    # given a generation that is being filled, and one of other projections
    await side.keep(LIVE, FILLING, OF_NEWER_PROJECTIONS)

    await side.workers.project(await side.happened(registered(), started()))

    versions = [await _version(side, Generation(number)) for number in (1, 2, 3)]
    assert versions == [2, 2, 0]


async def test_a_child_that_a_generation_has_not_seen_is_refilled_from_the_store(
    side: ProjectionSide,
) -> None:
    await side.project(await side.happened(registered(), started()))
    await side.keep(LIVE, FILLING)

    await side.workers.project(await side.happened(message()))

    assert await _version(side, SECOND) == 3


async def test_only_the_live_generation_tells_of_changes_and_raises_alerts(
    side: ProjectionSide,
) -> None:
    await side.keep(LIVE, FILLING)
    batch = await side.happened(registered(), reported(1, Severity.CRITICAL))

    projected = await side.workers.project(batch)

    assert [notice.version for notice in projected.notices] == [2]
    assert len(projected.alerts) == 1
    assert projected.applied == 2


async def test_the_live_generation_is_never_ahead_of_another(
    side: ProjectionSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a worker that dies between two generations
    await side.keep(LIVE, FILLING)
    order: list[int] = []
    both = KeptGenerations(
        side.database, lambda generation, *, before_live, rules: _noting(order, generation)
    )

    await both.project(await side.happened(registered()))

    assert order == [2, 1]


async def test_while_the_live_generation_is_held_a_batch_waits(side: ProjectionSide) -> None:
    await side.keep(LIVE, FILLING)
    await _set(side, hold_until=utc_now() + timedelta(seconds=60))
    batch = await side.happened(registered())

    with pytest.raises(GenerationHeld):
        await side.workers.project(batch)
    await _set(side, hold_until=utc_now() - timedelta(seconds=1))

    assert (await side.workers.project(batch)).applied == 1


async def test_without_a_generation_of_its_version_a_worker_has_nothing_to_write(
    side: ProjectionSide,
) -> None:
    await side.keep(KeptGeneration(FIRST, registry.VERSION + 1))
    kept = side.workers

    assert not await kept.any()
    with pytest.raises(NothingToWrite):
        await kept.project(await side.happened(registered()))


async def test_what_was_delivered_is_noted_in_every_generation(side: ProjectionSide) -> None:
    await side.keep(LIVE, FILLING)
    projected = await side.workers.project(
        await side.happened(registered(), reported(1, Severity.HIGH))
    )
    (alert,) = projected.alerts

    await side.delivered(alert["_id"])

    for generation in (FIRST, SECOND):
        found = await generation.collection(side.database, Model.ALERTS).find_one()
        assert found is not None
        assert list(found["delivered"]) == ["in_app"]


def _noting(order: list[int], generation: Generation) -> Any:
    class Noting:
        async def project(self, _: object) -> Projected:
            order.append(generation.number)
            return Projected()

    return Noting()


async def _set(side: ProjectionSide, **fields: Any) -> None:
    pointer = side.database[POINTER_COLLECTION]
    await pointer.update_one({"_id": POINTER_ID}, {"$set": fields}, upsert=True)


async def _version(side: ProjectionSide, generation: Generation) -> int:
    child = await generation.collection(side.database, Model.CHILDREN).find_one({"_id": MIA})
    return child["version"] if child else 0
