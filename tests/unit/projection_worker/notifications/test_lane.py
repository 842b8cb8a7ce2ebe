import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pymongo.errors import AutoReconnect

from projection_worker.notifications.channels import NotDelivered
from projection_worker.notifications.delivery_store import PAUSES
from projection_worker.notifications.lane import (
    AT_A_TIME,
    FAILURES_TO_OPEN,
    PROBE_EVERY_SECONDS,
    CircuitBreaker,
    Lane,
    Patience,
)
from projection_worker.notifications.metrics import NotificationMetrics
from shared.events.child import AlertChannel
from shared.read_models.deliveries import DeliveryDocument
from tests.support.deliveries import DeliveryLog, Settled, delivery

Clock = Callable[[], float]


class Receiver:
    """Takes everything, once it is `open`; fails with what `failures` hold, one a delivery."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.took: list[str] = []
        self.began = 0
        self.open = asyncio.Event()
        self.open.set()

    async def deliver(self, delivery: DeliveryDocument) -> None:
        self.began += 1
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.took.append(delivery["_id"])


def lane(
    store: DeliveryLog,
    receiver: Receiver,
    settled: Any = None,
    *,
    monotonic: Clock = time.monotonic,
    **more: Any,
) -> Lane:
    metrics = NotificationMetrics(CollectorRegistry())
    patience = Patience(**{"note_pauses": (0.0, 0.0), **more})
    name = AlertChannel.WEBHOOK
    notified = settled or Settled()
    return Lane(
        name,
        receiver,
        store,
        notified,
        metrics,
        patience=patience,
        breaker=CircuitBreaker(monotonic),
    )


async def swept(lane: Lane) -> None:
    await lane.sweep()
    await lane.settle()


def some(count: int) -> list[DeliveryDocument]:
    return [delivery(_id=f"alert-{number}:webhook") for number in range(count)]


async def test_what_is_due_is_delivered_noted_and_told():
    store, receiver, settled = DeliveryLog(*some(3)), Receiver(), Settled()

    await swept(lane(store, receiver, settled))

    assert receiver.took == store.done == settled.notified == [one["_id"] for one in some(3)]


async def test_what_failed_is_noted_with_its_reason_and_is_not_settled():
    settled = Settled()
    store, receiver = DeliveryLog(*some(1)), Receiver(NotDelivered("Status 500"))

    await swept(lane(store, receiver, settled))

    assert (store.done, settled.notified) == ([], [])
    assert store.failed == [("alert-0:webhook", "Status 500")]


async def test_what_was_given_up_is_settled():
    settled = Settled()
    last = delivery(_id="alert-0:webhook", attempts=len(PAUSES))
    store, receiver = DeliveryLog(last), Receiver(NotDelivered("Status 500"))

    await swept(lane(store, receiver, settled))

    assert settled.notified == ["alert-0:webhook"]


async def test_an_unexpected_error_is_one_deliverys_own():
    store, receiver = DeliveryLog(*some(2)), Receiver(RuntimeError("a defect"))

    await swept(lane(store, receiver))

    assert store.failed == [("alert-0:webhook", "RuntimeError")]
    assert store.done == ["alert-1:webhook"]


async def test_a_store_that_is_away_for_a_moment_costs_no_second_copy():
    store, receiver = DeliveryLog(*some(1)), Receiver()
    store.troubles = [AutoReconnect("gone"), AutoReconnect("gone")]

    await swept(lane(store, receiver))

    assert receiver.took == store.done == ["alert-0:webhook"]


async def test_what_cannot_be_noted_at_all_ends_no_lane():
    store, receiver = DeliveryLog(*some(2)), Receiver()
    store.troubles = [AutoReconnect("gone")] * 3

    one = lane(store, receiver, note_pauses=())
    await swept(one)
    store.troubles.clear()
    store.put(delivery(_id="alert-2:webhook"))
    await swept(one)

    assert store.done == ["alert-2:webhook"]


async def test_a_receiver_that_hangs_has_a_time_limit():
    store, receiver = DeliveryLog(*some(1)), Receiver()
    receiver.open.clear()

    await swept(lane(store, receiver, attempt_seconds=0.01))

    assert store.failed == [("alert-0:webhook", "TimeoutError")]


async def test_only_so_many_are_tried_at_a_time():
    store, receiver = DeliveryLog(*some(AT_A_TIME + 5)), Receiver()
    receiver.open.clear()
    busy = lane(store, receiver)

    await busy.sweep()
    await busy.sweep()
    await busy.offer(f"alert-{AT_A_TIME + 4}:webhook")

    assert (busy.free, len(store.waiting)) == (0, 5)
    receiver.open.set()
    await busy.settle()
    await swept(busy)
    assert len(store.done) == AT_A_TIME + 5


async def test_while_a_receiver_is_known_to_be_away_nothing_more_is_claimed():
    away = [NotDelivered("ConnectError")] * FAILURES_TO_OPEN
    store, receiver = DeliveryLog(*some(FAILURES_TO_OPEN)), Receiver(*away)
    broken = lane(store, receiver)
    await swept(broken)
    store.put(delivery(_id="late:webhook"))

    await swept(broken)

    assert receiver.began == FAILURES_TO_OPEN
    assert "late:webhook" in store.waiting


async def test_a_claim_that_finds_nothing_takes_nobody_the_attempt_after_a_failure():
    # given a receiver that was away, and is back when it may be tried again
    now = [0.0]
    away = [NotDelivered("ConnectError")] * FAILURES_TO_OPEN
    store, receiver = DeliveryLog(*some(FAILURES_TO_OPEN)), Receiver(*away)
    broken = lane(store, receiver, monotonic=lambda: now[0])
    await swept(broken)
    store.put(delivery(_id="late:webhook"))
    now[0] += PROBE_EVERY_SECONDS
    # when another worker was quicker with one, and the store is away for the next
    await broken.offer("gone:webhook")
    store.claim_error = AutoReconnect("gone")
    with pytest.raises(AutoReconnect):
        await broken.offer("late:webhook")
    store.claim_error = None
    # then the next one is tried at once
    await swept(broken)
    assert store.done == ["late:webhook"]


async def test_two_offers_at_once_do_not_share_the_last_place():
    store, receiver = DeliveryLog(*some(AT_A_TIME + 1)), Receiver()
    receiver.open.clear()
    busy = lane(store, receiver)
    for number in range(AT_A_TIME - 1):
        await busy.offer(f"alert-{number}:webhook")

    last = [f"alert-{number}:webhook" for number in (AT_A_TIME - 1, AT_A_TIME)]
    await asyncio.gather(*map(busy.offer, last))

    assert busy.under_way == AT_A_TIME
    receiver.open.set()
    await busy.settle()


async def test_a_sweep_says_whether_more_may_be_due():
    receiver = Receiver()
    receiver.open.clear()
    busy = lane(DeliveryLog(*some(AT_A_TIME + 1)), receiver)

    assert await busy.sweep()
    assert not await lane(DeliveryLog(*some(1)), receiver).sweep()
    receiver.open.set()
    await busy.room(5)
    assert busy.free > 0
    await busy.settle()


async def test_what_is_one_parents_own_trouble_keeps_nobody_else_waiting():
    own = [NotDelivered("NoAddress", of_the_receiver=False)] * (FAILURES_TO_OPEN + 1)
    store, receiver = DeliveryLog(*some(FAILURES_TO_OPEN + 2)), Receiver(*own)

    await swept(lane(store, receiver))

    assert store.done == [f"alert-{FAILURES_TO_OPEN + 1}:webhook"]
