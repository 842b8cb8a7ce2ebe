from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry
from pymongo.errors import AutoReconnect

from projection_worker.notifications.metrics import NotificationMetrics
from projection_worker.notifications.service import AlertIntake, take_record
from shared.read_models.deliveries import DeliveryDocument
from shared.read_models.notices import AlertNotice
from tests.support.deliveries import ALERT, delivery

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


async def test_in_the_app_an_alert_is_delivered_before_anything_else() -> None:
    deliveries = Deliveries(delivery("webhook"), delivery("in_app"))

    await taken(deliveries)

    assert deliveries.done == [
        "delivered in_app",
        "told of in_app",
        "offered mia@2:threshold:webhook",
    ]


async def test_what_is_settled_is_left_alone_however_often_its_notice_comes() -> None:
    settled = (delivery("in_app", state="delivered"), delivery("webhook", state="failed"))
    deliveries = Deliveries(*settled)

    await taken(deliveries)

    assert deliveries.done == []


async def test_a_notice_of_any_size_asks_only_for_its_alert() -> None:
    deliveries = Deliveries(delivery("in_app"))
    huge = {**orjson.loads(NOTICE.to_json()), "alert_id": "x" * 900_000, "channels": ["y"] * 9_000}

    registry = await taken(deliveries, orjson.dumps(huge))

    assert deliveries.done == []
    assert registry.get_sample_value(SKIPPED) == 0


async def test_a_record_without_a_value_is_counted_and_skipped() -> None:
    registry = CollectorRegistry()
    either: Any = Deliveries()

    await take_record(AlertIntake(either, {}, either.settled), None, NotificationMetrics(registry))

    assert registry.get_sample_value(SKIPPED) == 1


async def test_a_channel_that_nobody_knows_is_left_for_the_sweep() -> None:
    deliveries = Deliveries(delivery("pigeon"), delivery("in_app"))

    await taken(deliveries)

    assert deliveries.done == ["delivered in_app", "told of in_app"]


async def test_a_store_that_is_away_ends_no_agent() -> None:
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
async def test_a_record_that_is_no_notice_is_counted_and_skipped(changes: dict[str, Any]) -> None:
    deliveries = Deliveries(delivery("in_app"))
    value = orjson.dumps({**orjson.loads(NOTICE.to_json()), **changes})

    registry = await taken(deliveries, value)

    assert deliveries.done == []
    assert registry.get_sample_value(SKIPPED) == 1


GARBAGE = [b"", b"?", b"[]", b"7", b"null", b'{"alert_id":', b"\xff\xfe", b"[" * 100_000]


@pytest.mark.parametrize("value", GARBAGE, ids=lambda value: str(value[:12]))
async def test_garbage_is_counted_and_skipped(value: bytes) -> None:
    registry = await taken(Deliveries(), value)

    assert registry.get_sample_value(SKIPPED) == 1
