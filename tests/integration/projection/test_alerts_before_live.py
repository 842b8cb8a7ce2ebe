"""Alerts that only a generation raises which is not live yet: once it is, the parent is notified of
what is new, and of nothing that is past."""

from datetime import timedelta
from typing import Any

import pytest

from projection_worker.projecting.alerts import BeforeLive
from projection_worker.projections import registry
from projection_worker.replay.rebuild.cutover import Cutover, carry_undelivered
from shared.events.child import Severity
from shared.read_models.deliveries import NOTIFIED_WITHIN, deliveries
from shared.read_models.documents import Model
from shared.read_models.generations import Generation, KeptGeneration, read_catalog
from tests.support.projection_facts import MIA, NOON, registered, reported
from tests.support.projection_side import ProjectionSide

FIRST, SECOND = Generation(1), Generation(2)
BEFORE, AFTER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
"""Of the violation, which is reported a minute past noon."""

ALERT = f"{MIA}@2:threshold"
SEVERE = (registered(), reported(1, Severity.CRITICAL))


async def test_an_alert_that_the_live_generation_raised_too_is_notified_once(
    side: ProjectionSide,
) -> None:
    # given a generation that is being filled beside the live one
    await keep(side, live=1, begun_at=BEFORE)
    await side.workers.project(await side.happened(*SEVERE))
    await side.delivered(ALERT)
    before = await stored(side)
    # when
    await flip(side)
    await side.deliveries.adopt()
    # then
    assert await stored(side) == before
    assert await side.deliveries.adopt() == 0


async def test_an_alert_that_only_the_new_rules_raise_is_notified_after_the_flip(
    side: ProjectionSide,
) -> None:
    # given old rules that raise nothing
    await keep(side, live=1, begun_at=BEFORE)
    await only_the_second_alerts(side)
    assert await stored(side) == {}
    # when
    await flip(side)
    await side.deliveries.adopt()
    # then
    assert list(await stored(side)) == [f"{ALERT}:in_app"]


async def test_what_the_live_generation_had_seen_before_the_rebuild_is_past(
    side: ProjectionSide,
) -> None:
    await keep(side, live=1, begun_at=AFTER)
    await only_the_second_alerts(side)

    await flip(side)

    assert await side.deliveries.adopt() == 0
    assert await stored(side) == {}


async def test_what_the_live_generation_never_saw_is_notified_however_old_the_rebuild_is(
    side: ProjectionSide,
) -> None:
    """Its workers did not run, or it dead-lettered the child."""
    await keep(side, live=1, begun_at=AFTER)
    await side.another_projector(SECOND, before_live=BeforeLive(FIRST, AFTER)).project(
        await side.happened(*SEVERE)
    )

    await flip(side)
    await side.deliveries.adopt()

    assert list(await stored(side)) == [f"{ALERT}:in_app"]


async def test_what_is_long_past_is_not_even_then(side: ProjectionSide) -> None:
    await keep(side, live=1, begun_at=AFTER)
    await side.another_projector(SECOND, before_live=BeforeLive(FIRST, AFTER)).project(
        await side.happened(*SEVERE)
    )
    await flip(side)

    side.now += NOTIFIED_WITHIN
    await side.deliveries.adopt()

    assert await stored(side) == {}


async def test_a_worker_that_dies_between_two_generations_loses_no_alert(
    side: ProjectionSide,
) -> None:
    # given a batch that reached the new generation alone, which became live then
    await keep(side, live=1, begun_at=BEFORE)
    batch = await side.happened(*SEVERE)
    await side.another_projector(SECOND, before_live=BeforeLive(FIRST, BEFORE)).project(batch)
    await flip(side)
    # when the batch comes again
    await side.workers.project(batch)
    await side.deliveries.adopt()
    # then
    assert list(await stored(side)) == [f"{ALERT}:in_app"]


async def test_after_a_rollback_what_the_newer_rules_did_not_raise_is_notified(
    side: ProjectionSide,
) -> None:
    await keep(side, live=2, begun_at=BEFORE)
    batch = await side.happened(*SEVERE)
    await side.another_projector(FIRST, before_live=BeforeLive(SECOND)).project(batch)

    await Cutover(side.database).flip(await read_catalog(side.database), FIRST)
    await side.deliveries.adopt()

    assert list(await stored(side)) == [f"{ALERT}:in_app"]


@pytest.mark.parametrize(
    ("fields", "lacking"),
    [
        ({"channels": ["in_app", "webhook"], "delivered": {"in_app": NOON}}, ["webhook"]),
        ({"delivered": {"in_app": NOON}}, []),
        ({"raised_at": NOON - timedelta(days=400)}, []),
        ({"rebuilt": True}, []),
    ],
)
async def test_alerts_of_a_release_before_deliveries_get_those_that_they_lack(
    side: ProjectionSide, fields: dict[str, Any], lacking: list[str]
) -> None:
    # given an alert without deliveries in both generations
    await keep(side, live=1, begun_at=BEFORE)
    await side.workers.project(await side.happened(*SEVERE))
    await deliveries(side.database).delete_many({})
    for generation in (FIRST, SECOND):
        alerts = generation.collection(side.database, Model.ALERTS)
        await alerts.update_one({}, {"$set": fields, "$unset": {"awaits_live": ""}})
    # when
    await carry_undelivered(side.database, FIRST, SECOND, side.now - NOTIFIED_WITHIN)
    await flip(side)
    await side.deliveries.adopt()
    # then
    assert [one.rpartition(":")[2] for one in await stored(side)] == lacking


async def test_many_are_looked_at_in_turns(side: ProjectionSide) -> None:
    await keep(side, live=1, begun_at=BEFORE)
    many = [reported(number, Severity.HIGH, minutes=number) for number in range(1, 6)]
    batch = await side.happened(registered(), *many)
    await side.another_projector(SECOND, before_live=BeforeLive(FIRST, BEFORE)).project(batch)
    await flip(side)

    looked_at = [await side.deliveries.adopt(most=2) for _ in range(4)]

    assert looked_at == [2, 2, 1, 0]
    assert len(await stored(side)) == 5


async def only_the_second_alerts(side: ProjectionSide) -> None:
    """Both generations have seen a severe violation; the rules of the first let it pass."""
    batch = await side.happened(*SEVERE)
    await side.project(batch)
    await FIRST.collection(side.database, Model.ALERTS).delete_many({})
    await deliveries(side.database).delete_many({})
    await side.workers.project(batch)


async def flip(side: ProjectionSide) -> None:
    await Cutover(side.database).flip(await read_catalog(side.database), SECOND)


async def stored(side: ProjectionSide) -> dict[str, Any]:
    found = await deliveries(side.database).find({}).sort("_id", 1).to_list(None)
    return {one["_id"]: one for one in found}


async def keep(side: ProjectionSide, live: int, begun_at: Any) -> None:
    second = KeptGeneration(SECOND, registry.VERSION, live == SECOND.number, begun_at)
    await side.keep(KeptGeneration(FIRST, registry.VERSION), second, live=live)
