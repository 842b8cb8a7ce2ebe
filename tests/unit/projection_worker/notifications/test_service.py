"""Alerts on their way, also while Kafka or MongoDB is away."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import orjson
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from prometheus_client import CollectorRegistry
from pymongo.errors import AutoReconnect

from projection_worker.notifications import channels
from projection_worker.notifications.channels import NotDelivered, PublishedAgain, ReportsOutOfDate
from projection_worker.notifications.delivery_store import (
    GIVEN_UP_AFTER,
    JITTER,
    PAUSES,
    pause_after,
)
from projection_worker.notifications.lane import (
    FAILURES_TO_OPEN,
    PROBE_EVERY_SECONDS,
    CircuitBreaker,
    Lane,
)
from projection_worker.notifications.metrics import NotificationMetrics
from projection_worker.notifications.service import AlertIntake, take_record
from projection_worker.projecting.projector import Projected
from shared.events.child import AlertChannel
from shared.read_models.deliveries import DeliveryDocument
from shared.read_models.notices import AlertNotice
from tests.support.deliveries import ALERT, DeliveryLog, delivery

NOTICE = AlertNotice.of(ALERT)
SKIPPED = "teddy_alert_notices_skipped_total"


class Deliveries:
    """Those of one alert, and in which order something was done about them."""

    def __init__(self, *found: DeliveryDocument) -> None:
        self.found = list(found)
        self.done: list[str] = []
        self.error: Exception | None = None

    async def of_alert(self, alert_id: str) -> list[DeliveryDocument]:
        if self.error is not None:
            raise self.error
        return self.found if alert_id == ALERT["_id"] else []

    async def delivered(self, delivery: DeliveryDocument) -> bool:
        self.done.append(f"delivered {delivery['channel']}")
        return True

    async def settled(self, delivery: DeliveryDocument) -> None:
        self.done.append(f"told of {delivery['channel']}")

    async def offer(self, delivery_id: str) -> None:
        self.done.append(f"offered {delivery_id}")


async def taken(deliveries: Deliveries, value: bytes | None = None) -> CollectorRegistry:
    registry = CollectorRegistry()
    either: Any = deliveries
    intake = AlertIntake(either, {"webhook": either, "in_app": either}, deliveries.settled)
    value = NOTICE.to_json() if value is None else value
    await take_record(intake, value, NotificationMetrics(registry))
    return registry


@pytest.mark.parametrize(
    ("other", "offered"),
    [("webhook", ["offered mia@2:threshold:webhook"]), ("pigeon", [])],
    ids=["known", "left for the sweep"],
)
async def test_in_the_app_an_alert_is_delivered_before_anything_else(
    other: str, offered: list[str]
):
    deliveries = Deliveries(delivery(other), delivery("in_app"))
    await taken(deliveries)
    assert deliveries.done == ["delivered in_app", "told of in_app", *offered]


async def test_what_is_settled_is_left_alone_however_often_its_notice_comes():
    settled = (delivery("in_app", state="delivered"), delivery("webhook", state="failed"))
    deliveries = Deliveries(*settled)

    await taken(deliveries)

    assert deliveries.done == []


async def test_a_notice_of_any_size_asks_only_for_its_alert():
    deliveries = Deliveries(delivery("in_app"))
    huge = {**orjson.loads(NOTICE.to_json()), "alert_id": "x" * 900_000, "channels": ["y"] * 9_000}

    registry = await taken(deliveries, orjson.dumps(huge))

    assert deliveries.done == []
    assert registry.get_sample_value(SKIPPED) == 0


async def test_a_record_without_a_value_is_counted_and_skipped():
    registry = CollectorRegistry()
    either: Any = Deliveries()

    await take_record(AlertIntake(either, {}, either.settled), None, NotificationMetrics(registry))

    assert registry.get_sample_value(SKIPPED) == 1


async def test_a_store_that_is_away_ends_no_agent():
    deliveries = Deliveries(delivery("in_app"))
    deliveries.error = AutoReconnect("gone")

    registry = await taken(deliveries)

    assert deliveries.done == []
    assert registry.get_sample_value(SKIPPED) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"alert_id": {"$ne": 1}},
        {"channels": 7},
        {"channels": [["in_app"]]},
        {"severity": None},
        {"raised_at": 7},
        {"channels": None},
        {"alert_id": 10**18},
    ],
)
async def test_a_record_that_is_no_notice_is_counted_and_skipped(changes: dict[str, Any]):
    deliveries = Deliveries(delivery("in_app"))
    value = orjson.dumps({**orjson.loads(NOTICE.to_json()), **changes})

    registry = await taken(deliveries, value)

    assert deliveries.done == []
    assert registry.get_sample_value(SKIPPED) == 1


GARBAGE = [b"", b"?", b"[]", b"7", b"null", b'{"alert_id":', b"\xff\xfe", b"[" * 100_000]


@pytest.mark.parametrize("value", GARBAGE, ids=lambda value: str(value[:12]))
async def test_garbage_is_counted_and_skipped(value: bytes):
    registry = await taken(Deliveries(), value)

    assert registry.get_sample_value(SKIPPED) == 1


class Publisher:
    """Stands for the publisher: raises `error`, or takes for ever while it `hangs`."""

    def __init__(self, error: Exception | None = None, *, hangs: bool = False) -> None:
        self.published: list[Projected] = []
        self._error = error
        self._hangs = hangs

    async def publish(self, projected: Projected) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error
        self.published.append(projected)


async def test_a_notice_that_got_lost_is_published_as_it_was():
    publisher: Any = Publisher()

    await PublishedAgain(publisher).deliver(delivery("in_app"))

    (projected,) = publisher.published
    assert [alert["_id"] for alert in projected.alerts] == [ALERT["_id"]]


async def test_what_was_published_again_is_delivered_whoever_reads_it():
    """The agent may stand beyond where the topic ends: it would never note it."""
    publisher: Any = Publisher()
    one = delivery("in_app")
    store = DeliveryLog(one)
    metrics = NotificationMetrics(CollectorRegistry())
    settled: Any = AsyncMock()
    app = Lane(AlertChannel.IN_APP, PublishedAgain(publisher), store, settled, metrics)

    await app.sweep()
    await app.settle()

    assert store.done == [one["_id"]]
    settled.assert_awaited_once()


async def test_without_kafka_the_app_is_tried_again_later():
    publisher: Any = Publisher(KafkaConnectionError())

    with pytest.raises(NotDelivered) as said:
        await PublishedAgain(publisher).deliver(delivery("in_app"))

    assert said.value.reason == "KafkaConnectionError"


class Reading:
    """Stands for a database without a catalog, with or without a child; or one that is away."""

    def __init__(self, found: Any, error: Exception | None = None) -> None:
        self._found = found
        self._error = error

    def __getitem__(self, _collection: str) -> "Reading":
        return self

    async def find_one(self, wanted: Any, _fields: Any = None) -> Any:
        if self._error is not None:
            raise self._error
        return self._found if wanted["_id"] == "mia" else None


async def test_reports_about_the_child_are_said_to_be_out_of_date():
    publisher: Any = Publisher()
    database: Any = Reading({"version": 7})

    await ReportsOutOfDate(database, publisher).settled(delivery())

    ((notice,),) = [projected.notices for projected in publisher.published]
    assert (notice.child_id, notice.version, notice.marked) == ("mia", 7, True)


@pytest.mark.parametrize(
    ("publisher", "database"),
    [
        (Publisher(KafkaTimeoutError()), Reading({"version": 7})),
        (Publisher(hangs=True), Reading({"version": 7})),
        (Publisher(), Reading(None, AutoReconnect("gone"))),
        (Publisher(), Reading(None)),
    ],
    ids=["kafka refuses", "kafka hangs", "no store", "erased meanwhile"],
)
async def test_what_cannot_be_said_undoes_no_delivery(
    monkeypatch: pytest.MonkeyPatch, publisher: Any, database: Any
):
    monkeypatch.setattr(channels, "PUBLISH_SECONDS", 0.05)

    await ReportsOutOfDate(database, publisher).settled(delivery())

    assert publisher.published == []


@pytest.mark.parametrize("attempts", range(1, len(PAUSES) + 1))
def test_each_pause_is_the_schedules_with_some_jitter(attempts: int):
    pauses = {pause_after(attempts) for _ in range(20)}

    planned = PAUSES[attempts - 1]
    assert len(pauses) > 1
    assert all(p is not None and abs(p - planned) <= JITTER * planned for p in pauses)


def test_pauses_grow_from_seconds_to_hours_over_three_days_and_end():
    assert list(PAUSES) == sorted(PAUSES)
    assert PAUSES[0] == 5
    assert 0.95 < sum(PAUSES) / GIVEN_UP_AFTER.total_seconds() < 1
    assert pause_after(len(PAUSES) + 1) is None


def test_a_receiver_that_fails_again_and_again_in_a_row_is_asked_once_in_a_while():
    now = [0.0]
    breaker = CircuitBreaker(lambda: now[0])
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.allowed(8) == 8
        breaker.failed()
    # when it is open
    assert breaker.allowed(8) == 0
    now[0] += PROBE_EVERY_SECONDS
    assert breaker.allowed(8) == 1
    # when the one that is allowed begins
    breaker.begin()
    assert breaker.allowed(8) == 0
    # when it worked
    breaker.succeeded()
    assert breaker.allowed(8) == 8
    breaker = CircuitBreaker(lambda: 0.0)
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed()
        breaker.succeeded()

    assert not breaker.is_open
