"""Begins with the deliveries of an alert as soon as it is on the topic.

What is to be delivered stands in the read store since the alert was raised, so nothing depends on a
notice: the sweep finds what this agent never got to. A notice says only that there is something to
do now; how often it comes, and to which group of consumers, changes nothing.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import faust
import structlog

from projection_worker.notifications.lane import Lane, Settled
from projection_worker.notifications.metrics import NotificationMetrics
from projection_worker.notifications.port import Deliveries
from shared.events.child import AlertChannel
from shared.read_models.deliveries import DeliveryState
from shared.read_models.notices import AlertNotice, MalformedNotice
from shared.topics import CHILD_ALERTS

log = structlog.get_logger(__name__)

NOTICE_SECONDS = 10.0


class AlertIntake:
    """In the app an alert is delivered with its notice: open apps hear of it from the same topic.
    That waits for no other channel; those begin in lanes of their own."""

    def __init__(self, store: Deliveries, lanes: Mapping[str, Lane], settled: Settled) -> None:
        self._store = store
        self._lanes = lanes
        self._settled = settled

    async def take(self, notice: AlertNotice) -> None:
        """Raises PyMongoError; then the sweep does it."""
        found = await self._store.of_alert(notice.alert_id)
        waiting = [one for one in found if one["state"] == DeliveryState.PENDING]
        for delivery in waiting:
            in_app = delivery["channel"] == AlertChannel.IN_APP
            if in_app and await self._store.delivered(delivery):
                await self._settled(delivery)
        for delivery in waiting:
            lane = self._lanes.get(delivery["channel"])
            if lane is not None and delivery["channel"] != AlertChannel.IN_APP:
                await lane.offer(delivery["_id"])


async def take_record(
    intake: AlertIntake, value: bytes | None, metrics: NotificationMetrics
) -> None:
    """Raises nothing, whatever stands in a record: an agent that raises leaves its partition."""
    try:
        notice = AlertNotice.from_json(value or b"")
    except MalformedNotice:
        metrics.skipped()
        log.warning("alert_notice_malformed")
        return
    try:
        async with asyncio.timeout(NOTICE_SECONDS):
            await intake.take(notice)
    except Exception as error:  # noqa: BLE001 - the sweep does it, whatever kept us
        log.warning("alert_left_to_the_sweep", error=type(error).__name__)


def register_alerts(app: faust.App, intake: AlertIntake, metrics: NotificationMetrics) -> None:
    """Add the agent on `teddy.child.alerts.v1` to `app`."""
    topic = app.topic(CHILD_ALERTS.name, value_serializer="raw", key_serializer="raw")

    async def alerts(stream: Any) -> None:
        async for event in stream.noack().events():
            await take_record(intake, event.value, metrics)
            event.ack()

    app.agent(topic, name="alerts")(alerts)
