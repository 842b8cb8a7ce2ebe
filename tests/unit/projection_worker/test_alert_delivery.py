from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx2
import orjson
import pytest

from projection_worker.agents.alerts import (
    AlertDelivery,
    Channel,
    InAppChannel,
    WebhookChannel,
)
from shared.events.child import AlertChannel
from shared.read_models.notices import AlertNotice
from tests.support.projection_facts import NOON

ALERT = AlertNotice(
    alert_id="mia@2:threshold",
    child_id="mia",
    parent_id="parent-1",
    rule="threshold",
    event_id="mia@2",
    violation_id="violation-1",
    violation_type="violence",
    severity="high",
    channels=["in_app", "webhook"],
    raised_at="2026-11-23T12:00:00.000Z",
)


class Marks:
    """Remembers what was marked as delivered."""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, str, datetime]] = []
        self.gone = False

    async def delivered_by(self, alert_id: str) -> frozenset[str] | None:
        done = frozenset(channel for alert, channel, _ in self.delivered if alert == alert_id)
        return None if self.gone else done

    async def mark_delivered(self, alert_id: str, channel: str, at: datetime) -> None:
        self.delivered.append((alert_id, channel, at))


class Receiver:
    """A webhook receiver that answers from a list of status codes."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(self._codes.pop(0))


def delivery(marks: Marks, channels: Mapping[AlertChannel, Channel]) -> AlertDelivery:
    store: Any = marks
    return AlertDelivery(channels, store, lambda: NOON)


@pytest.fixture
def marks() -> Marks:
    return Marks()


async def posted(marks: Marks, receiver: Receiver) -> None:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(receiver)) as client:
        webhook = WebhookChannel(client, "http://receiver/alerts")
        channels: dict[AlertChannel, Channel] = {
            AlertChannel.IN_APP: InAppChannel(),
            AlertChannel.WEBHOOK: webhook,
        }
        await delivery(marks, channels).deliver(ALERT)


async def test_every_channel_of_the_policy_is_told_and_marked(marks: Marks) -> None:
    receiver = Receiver(204)

    await posted(marks, receiver)

    assert [(channel, at) for _, channel, at in marks.delivered] == [
        ("in_app", NOON),
        ("webhook", NOON),
    ]
    assert orjson.loads(receiver.requests[0].content)["alert_id"] == ALERT.alert_id
    assert receiver.requests[0].headers["Idempotency-Key"] == ALERT.alert_id


async def test_a_failing_receiver_is_tried_again(marks: Marks) -> None:
    receiver = Receiver(500, 503, 200)

    await posted(marks, receiver)

    assert len(receiver.requests) == 3
    assert [channel for _, channel, _ in marks.delivered] == ["in_app", "webhook"]


async def test_a_dead_receiver_is_given_up_and_not_marked(marks: Marks) -> None:
    await posted(marks, Receiver(500, 500, 500))

    assert [channel for _, channel, _ in marks.delivered] == ["in_app"]


async def test_a_channel_that_is_not_set_up_is_left_out(marks: Marks) -> None:
    await delivery(marks, {AlertChannel.IN_APP: InAppChannel()}).deliver(ALERT)

    assert [channel for _, channel, _ in marks.delivered] == ["in_app"]


async def test_what_was_delivered_is_not_delivered_again(marks: Marks) -> None:
    receiver = Receiver(204)

    await posted(marks, receiver)
    await posted(marks, receiver)

    assert len(receiver.requests) == 1
    assert [channel for _, channel, _ in marks.delivered] == ["in_app", "webhook"]


async def test_only_the_channel_that_failed_is_told_again(marks: Marks) -> None:
    receiver = Receiver(500, 500, 500, 200)

    await posted(marks, receiver)
    await posted(marks, receiver)

    assert [channel for _, channel, _ in marks.delivered] == ["in_app", "webhook"]


async def test_nobody_is_told_of_an_alert_that_is_gone(marks: Marks) -> None:
    marks.gone = True
    receiver = Receiver()

    await posted(marks, receiver)

    assert (receiver.requests, marks.delivered) == ([], [])
