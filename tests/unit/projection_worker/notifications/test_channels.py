"""The app while Kafka or MongoDB is away."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from prometheus_client import CollectorRegistry
from pymongo.errors import AutoReconnect

from projection_worker.notifications import channels
from projection_worker.notifications.channels import NotDelivered, PublishedAgain, ReportsOutOfDate
from projection_worker.notifications.lane import Lane
from projection_worker.notifications.metrics import NotificationMetrics
from projection_worker.projecting.projector import Projected
from shared.events.child import AlertChannel
from tests.support.deliveries import ALERT, DeliveryLog, delivery


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


async def test_a_notice_that_got_lost_is_published_as_it_was() -> None:
    publisher: Any = Publisher()

    await PublishedAgain(publisher).deliver(delivery("in_app"))

    (projected,) = publisher.published
    assert [alert["_id"] for alert in projected.alerts] == [ALERT["_id"]]


async def test_what_was_published_again_is_delivered_whoever_reads_it() -> None:
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


async def test_without_kafka_the_app_is_tried_again_later() -> None:
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


async def test_reports_about_the_child_are_said_to_be_out_of_date() -> None:
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
) -> None:
    monkeypatch.setattr(channels, "PUBLISH_SECONDS", 0.05)

    await ReportsOutOfDate(database, publisher).settled(delivery())

    assert publisher.published == []
