"""Deliveries in a real database: raised with the batch, claimed by one, tried until told."""

import asyncio
from datetime import timedelta

from projection_worker.before_live import BeforeLive
from projection_worker.kept_generations import KeptGenerations
from projection_worker.notifications.delivery_store import NOT_CONFIGURED, DeliveryStore
from projection_worker.notifications.policies import policies_naming
from projection_worker.notifications.schedule import PAUSES
from projection_worker.projections import registry
from projection_worker.retention import purge
from shared.events.child import AlertChannel, Severity
from shared.read_models.deliveries import (
    AT_ONCE,
    NOTIFIED_WITHIN,
    DeliveryDocument,
    DeliveryState,
    count_deliveries,
    count_deliveries_of,
    deliveries,
)
from shared.read_models.generations import (
    POINTER_COLLECTION,
    POINTER_ID,
    Generation,
    KeptGeneration,
    to_document,
)
from shared.read_models.horizon import Horizon
from shared.read_models.models import Model
from tests.support.projection_facts import MIA, NOON, erased, policy, registered, reported
from tests.support.projection_side import GENERATION, ProjectionSide

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
    second = Generation(2)
    beside = side.another_projector(second, before_live=BeforeLive(GENERATION))
    await beside.project(await side.happened(*SEVERE))

    assert await stored(side) == {}


async def test_after_a_rollback_nobody_is_notified_again(side: ProjectionSide) -> None:
    # given an alert that was told while the second generation was live
    batch = await side.happened(*SEVERE)
    await _keep(side, live=2, kept=(2,))
    workers = KeptGenerations(side.database, side.another_projector)
    await workers.project(batch)
    await side.delivered(f"{MIA}@3:threshold")
    before = await stored(side)
    # when the first one, which lacks it, is live again
    await _keep(side, live=1, kept=(1, 2))
    projected = await workers.project(batch)
    # then
    assert projected.alerts == ()
    assert await stored(side) == before


async def test_a_delivery_is_claimed_by_one_of_many(side: ProjectionSide) -> None:
    store = await alerted(side)

    claimed = await asyncio.gather(*(store.claim(WEBHOOK) for _ in range(10)))

    (mine,) = [one for one in claimed if one is not None]
    assert mine["attempts"] == 1
    assert await store.due("webhook", 10) == []


async def test_what_was_claimed_by_one_that_died_is_due_again(side: ProjectionSide) -> None:
    store = await alerted(side)
    await store.claim(WEBHOOK)

    await _due_now(side)

    assert await store.due("webhook", 10) == [WEBHOOK]
    again = await store.claim(WEBHOOK)
    assert again is not None
    assert again["attempts"] == 2


async def test_what_failed_waits_and_is_tried_again(side: ProjectionSide) -> None:
    store = await alerted(side)

    assert not await store.not_delivered(await _claimed(store), "Status 500")

    (found,) = await store.find(1, DeliveryState.PENDING, "webhook")
    assert found["last_error"] == "Status 500"
    assert await store.due("webhook", 10) == []
    await _due_now(side)
    assert await store.due("webhook", 10) == [WEBHOOK]


async def test_after_the_last_attempt_it_is_given_up(side: ProjectionSide) -> None:
    store = await alerted(side)
    for _ in PAUSES:
        assert not await store.not_delivered(await _claimed(store), "Status 500")
        await _due_now(side)

    assert await store.not_delivered(await _claimed(store), "Status 500")

    assert await count_deliveries(side.database) == {
        ("in_app", "pending"): 1,
        ("webhook", "failed"): 1,
    }
    await _due_now(side)
    assert await store.due("webhook", 10) == []


async def test_who_lost_the_claim_changes_nothing(side: ProjectionSide) -> None:
    store = await alerted(side)
    slow = await _claimed(store)
    await _due_now(side)
    quick = await _claimed(store)

    await store.not_delivered(slow, "TimeoutError")

    (found,) = await store.find(1, DeliveryState.PENDING, "webhook")
    assert (found["claim"], found["last_error"]) == (quick["claim"], None)


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


async def test_what_is_redriven_has_all_its_attempts_again(side: ProjectionSide) -> None:
    store = await alerted(side)
    await _set(side, state="failed", attempts=17)

    assert await store.redrive([WEBHOOK, "nothing"]) == 1

    (found,) = await store.find(1, delivery=WEBHOOK)
    assert (found["state"], found["attempts"]) == ("pending", 0)
    assert await store.due("webhook", 10) == [WEBHOOK]


async def test_a_channel_that_nobody_configured_is_given_up_after_three_days(
    side: ProjectionSide,
) -> None:
    store = await alerted(side)
    assert await store.give_up({"in_app"}) == 0
    await _set(side, created_at=side.now - timedelta(days=3, minutes=1))

    assert await store.give_up({"in_app", "webhook"}) == 0  # nobody has tried it yet
    assert await store.give_up({"in_app"}) == 1

    (found,) = await store.find(1, DeliveryState.FAILED)
    assert (found["_id"], found["last_error"]) == (WEBHOOK, NOT_CONFIGURED)


async def test_nothing_of_an_erased_child_is_left(side: ProjectionSide) -> None:
    await alerted(side)

    await side.project(await side.happened(erased()))

    assert await stored(side) == {}


async def test_what_became_of_an_alert_goes_with_it(side: ProjectionSide) -> None:
    await alerted(side)
    await _keep(side, live=1, kept=(1,))

    await purge(side.database, Horizon(alerts=NOON + timedelta(days=1)))

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


async def _due_now(side: ProjectionSide) -> None:
    await _set(side, next_attempt_at=AT_ONCE)


async def _set(side: ProjectionSide, **fields: object) -> None:
    await deliveries(side.database).update_one({"_id": WEBHOOK}, {"$set": fields})


async def _keep(side: ProjectionSide, live: int, kept: tuple[int, ...]) -> None:
    generations = [KeptGeneration(Generation(one), registry.VERSION) for one in kept]
    catalog = {"generation": live, "kept": [to_document(one) for one in generations]}
    pointer = side.database[POINTER_COLLECTION]
    await pointer.update_one({"_id": POINTER_ID}, {"$set": catalog}, upsert=True)
