"""Deliveries in a real database: raised with the batch, claimed by one, tried until told."""

import asyncio
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from projection_worker.notifications.delivery_store import DeliveryStore
from projection_worker.notifications.lane import Lane
from projection_worker.notifications.metrics import NotificationMetrics
from projection_worker.notifications.service import NotificationService, policies_naming
from projection_worker.projecting.alerts import BeforeLive
from projection_worker.projecting.removal import purge
from projection_worker.projections import registry
from shared.events.child import AlertChannel, Severity
from shared.read_models.deliveries import (
    NOTIFIED_WITHIN,
    DeliveryDocument,
    count_deliveries_of,
    deliveries,
)
from shared.read_models.documents import Model
from shared.read_models.generations import Generation, KeptGeneration, RetentionCutoff
from tests.support.projection_facts import MIA, NOON, policy, registered, reported
from tests.support.projection_side import GENERATION, ProjectionSide

FIRST, OTHER = (KeptGeneration(Generation(one), registry.VERSION) for one in (1, 2))
BOTH = (AlertChannel.IN_APP, AlertChannel.WEBHOOK)
WEBHOOK = f"{MIA}@3:threshold:webhook"
SEVERE = (registered(), policy(channels=BOTH), reported(1, Severity.CRITICAL))


async def stored(side: ProjectionSide) -> dict[str, DeliveryDocument]:
    return {one["_id"]: one for one in await side.deliveries.find(100)}


async def alerted(side: ProjectionSide) -> DeliveryStore:
    """A severe violation was projected, and nobody was told yet."""
    await side.project(await side.happened(*SEVERE))
    return side.deliveries


async def test_an_alerts_deliveries_are_written_with_it(side: ProjectionSide) -> None:
    await alerted(side)

    found = await stored(side)
    assert sorted(found) == [f"{MIA}@3:threshold:in_app", WEBHOOK]
    assert {one["state"] for one in found.values()} == {"pending"}
    assert found[WEBHOOK]["channels"] == ["in_app", "webhook"]


async def test_facts_that_come_again_add_no_delivery_and_undo_none(side: ProjectionSide) -> None:
    batch = await side.happened(*SEVERE)
    await side.project(batch)
    await side.delivered(f"{MIA}@3:threshold")
    before = await stored(side)

    projected = await side.project(batch)

    assert await stored(side) == before
    assert projected.alerts == ()


async def test_only_the_live_generation_makes_deliveries(side: ProjectionSide) -> None:
    # given a generation that reads everything for itself and is not live
    beside = side.another_projector(OTHER.generation, before_live=BeforeLive(GENERATION))
    await beside.project(await side.happened(*SEVERE))

    assert await stored(side) == {}


async def test_after_a_rollback_nobody_is_notified_again(side: ProjectionSide) -> None:
    # given an alert that was told while the second generation was live
    batch = await side.happened(*SEVERE)
    await side.keep(OTHER, live=2)
    await side.workers.project(batch)
    await side.delivered(f"{MIA}@3:threshold")
    before = await stored(side)
    # when the first one, which lacks it, is live again
    await side.keep(FIRST, OTHER)
    projected = await side.workers.project(batch)
    # then
    assert projected.alerts == ()
    assert await stored(side) == before


async def test_a_delivery_is_noted_once_in_every_kept_generation(side: ProjectionSide) -> None:
    store = await alerted(side)
    mine = await _claimed(store)

    noted = await asyncio.gather(*(store.delivered(mine) for _ in range(5)))

    assert sorted(noted) == [False, False, False, False, True]
    (alert,) = (await side.documents(Model.ALERTS)).values()
    assert list(alert["delivered"]) == ["webhook"]
    assert await count_deliveries_of(side.database, MIA) == {"delivered": 1, "pending": 1}


async def test_both_channels_may_be_noted_at_the_same_moment(side: ProjectionSide) -> None:
    store = await alerted(side)
    both = await store.find(2)

    assert await asyncio.gather(*map(store.delivered, both)) == [True, True]

    (alert,) = (await side.documents(Model.ALERTS)).values()
    assert sorted(alert["delivered"]) == ["in_app", "webhook"]


async def test_what_became_of_an_alert_goes_with_it(side: ProjectionSide) -> None:
    await alerted(side)
    await side.keep(FIRST)

    await purge(side.database, RetentionCutoff(alerts=NOON + timedelta(days=1)))

    assert await stored(side) == {}


async def test_what_is_long_past_notifies_nobody(side: ProjectionSide) -> None:
    """As read models that begin anew, because the old ones are lost, raise it."""
    side.now += NOTIFIED_WITHIN + timedelta(days=1)

    await alerted(side)

    assert await stored(side) == {}
    assert len(await side.documents(Model.ALERTS)) == 1


async def test_policies_that_name_a_channel_are_counted(side: ProjectionSide) -> None:
    await alerted(side)

    found = await policies_naming(side.database, [AlertChannel.WEBHOOK, AlertChannel.EMAIL])

    assert found == {"webhook": 1}


async def _claimed(store: DeliveryStore) -> DeliveryDocument:
    mine = await store.claim(WEBHOOK)
    assert mine is not None
    return mine


async def _set(side: ProjectionSide, **fields: object) -> None:
    await deliveries(side.database).update_one({"_id": WEBHOOK}, {"$set": fields})


async def test_what_waits_and_what_failed_is_distinguished_with_its_age(
    side: ProjectionSide,
) -> None:
    # given an alert that waits for the app, and one that no webhook took
    await alerted(side)
    await _set(side, state="failed")
    side.now += timedelta(minutes=20)
    registry = CollectorRegistry()
    lanes: list[Lane] = []
    publisher: Any = None
    service = NotificationService(
        lanes,
        side.deliveries,
        side.database,
        publisher,
        NotificationMetrics(registry),
        clock=lambda: side.now,
    )
    # when
    await service.look(give_up=False)
    # then
    assert service.counted.report()["notifications"] == {
        "pending": 1,
        "waiting_seconds": 1_200.0,
        "failed": 1,
        "unconfigured": {"in_app": 1, "webhook": 1},
    }
    ages = registry.get_sample_value("teddy_delivery_waiting_seconds", {"channel": "in_app"})
    failed = registry.get_sample_value(
        "teddy_deliveries", {"channel": "webhook", "state": "failed"}
    )
    assert (ages, failed) == (1_200.0, 1)
