"""What lies older than the retention cutoff goes, stays away, and is nobody's difference."""

from datetime import timedelta

import pytest

from projection_worker.projecting.removal import behind, purge
from shared.events.child import Severity
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import Generation, RetentionCutoff, advance_cutoff, read_cutoff
from tests.integration.projection.test_rebuild import FIRST, SECOND, World, world
from tests.support.projection_facts import MIA, NOON, registered, reported

__all__ = ["world"]

DAY = 24 * 60.0
OLD = (registered(), reported(1, Severity.HIGH), reported(2, Severity.HIGH, minutes=DAY))
NEW = (reported(3, Severity.HIGH, minutes=3 * DAY),)
HORIZON = RetentionCutoff("2026-11-25", NOON + timedelta(days=2))
NEWEST = f"{MIA}@2026-11-26"


async def test_what_lies_behind_goes_and_all_else_stays(world: World) -> None:
    await world.happened(*OLD, *NEW)
    seen = await behind(world.on.database, HORIZON)

    await advance_cutoff(world.on.database, HORIZON)
    gone = await purge(world.on.database, HORIZON)

    assert [seen[model].documents for model in seen] == [2, 2]
    assert [seen[model].oldest for model in seen] == ["2026-11-23", NOON + timedelta(minutes=1)]
    assert gone == {Model.ACTIVITY: 2, Model.ALERTS: 2}
    assert [one["_id"] for one in await world.documents(FIRST, Model.ACTIVITY)] == [NEWEST]
    (alert,) = await world.documents(FIRST, Model.ALERTS)
    assert alert["violation_id"] == "violation-3"
    (safety,) = await world.documents(FIRST, Model.SAFETY)
    assert safety["total_violations"] == 3
    assert (await world.side.on_generation(FIRST).verify()).clean


async def test_events_older_than_the_cutoff_restore_nothing(world: World) -> None:
    # given a worker that is far behind
    await advance_cutoff(world.on.database, HORIZON)

    await world.happened(*OLD, *NEW)

    assert [one["_id"] for one in await world.documents(FIRST, Model.ACTIVITY)] == [NEWEST]
    assert len(await world.documents(FIRST, Model.ALERTS)) == 1
    assert (await world.side.on_generation(FIRST).verify()).clean


@pytest.mark.parametrize("models", [ALL_MODELS, frozenset({Model.CHILDREN})])
async def test_a_rebuild_brings_nothing_back(world: World, models: frozenset[Model]) -> None:
    await world.happened(*OLD, *NEW)
    await advance_cutoff(world.on.database, HORIZON)
    await purge(world.on.database, HORIZON)

    await world.rebuilt(models)

    assert [one["_id"] for one in await world.documents(SECOND, Model.ACTIVITY)] == [NEWEST]
    assert len(await world.documents(SECOND, Model.ALERTS)) == 1


async def test_every_kept_generation_is_purged(world: World) -> None:
    await world.happened(*OLD, *NEW)
    await world.rebuilt()
    await advance_cutoff(world.on.database, HORIZON)

    gone = await purge(world.on.database, HORIZON)

    assert gone == {Model.ACTIVITY: 4, Model.ALERTS: 4}
    for generation in (FIRST, SECOND):
        assert await _days(world, generation) == ["2026-11-26"]


async def test_killed_before_anything_was_deleted_it_is_no_difference_and_goes_later(
    world: World,
) -> None:
    await world.happened(*OLD, *NEW)

    await advance_cutoff(world.on.database, HORIZON)

    assert await _days(world, FIRST) == ["2026-11-23", "2026-11-24", "2026-11-26"]
    assert (await world.side.on_generation(FIRST).verify()).clean
    assert (await purge(world.on.database, HORIZON))[Model.ACTIVITY] == 2


async def test_what_is_newer_than_the_cutoff_is_compared_as_ever(world: World) -> None:
    await world.happened(*OLD, *NEW)
    await advance_cutoff(world.on.database, HORIZON)
    activity = FIRST.collection(world.on.database, Model.ACTIVITY)
    await activity.update_many({}, {"$set": {"violations": 9}})

    differences = (await world.side.on_generation(FIRST).verify()).differences

    assert [(one.document, one.expected, one.found) for one in differences] == [(NEWEST, 1, 9)]


async def test_the_cutoff_never_moves_back(world: World) -> None:
    await advance_cutoff(world.on.database, HORIZON)

    longer_kept = RetentionCutoff("2026-01-01", NOON - timedelta(days=300))

    assert await advance_cutoff(world.on.database, longer_kept) == HORIZON
    assert await advance_cutoff(world.on.database, RetentionCutoff()) == HORIZON
    assert await read_cutoff(world.on.database) == HORIZON


async def test_without_a_cutoff_everything_is_kept(world: World) -> None:
    await world.happened(*OLD, *NEW)

    assert await advance_cutoff(world.on.database, RetentionCutoff()) == RetentionCutoff()
    assert await purge(world.on.database, RetentionCutoff()) == {Model.ACTIVITY: 0, Model.ALERTS: 0}


async def _days(world: World, generation: Generation) -> list[str]:
    return [one["day"] for one in await world.documents(generation, Model.ACTIVITY)]
