"""Delivers alerts by the channels of the child's policy; each channel is told at least once.

The stream acknowledges nothing by itself: an event is acknowledged, in order, after all its
channels were told, so a crash repeats a delivery and loses none. What is noted as delivered is not
delivered again, however often and by whatever group of consumers its notice is read.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import faust
import httpx2
import structlog

from shared.clock import Clock
from shared.events.child import AlertChannel
from shared.read_models.notices import AlertNotice, MalformedNotice
from shared.topics import CHILD_ALERTS

log = structlog.get_logger(__name__)


class Channel(Protocol):
    """One way to tell a parent. Raises when it did not work this time."""

    async def deliver(self, alert: AlertNotice) -> None: ...


class InAppChannel:
    """The alert stands in the read model and on the stream that the query API pushes from."""

    async def deliver(self, alert: AlertNotice) -> None:
        log.info("alert_in_app", alert_id=alert.alert_id)


class WebhookChannel:
    """Posts the alert, which holds nothing personal, as JSON to the operator's URL."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def deliver(self, alert: AlertNotice) -> None:
        response = await self._client.post(
            self._url,
            content=alert.to_json(),
            headers={"Content-Type": "application/json", "Idempotency-Key": alert.alert_id},
        )
        response.raise_for_status()


class Receipts(Protocol):
    """Where deliveries are noted."""

    async def delivered_by(self, alert_id: str) -> frozenset[str] | None:
        """The channels that have delivered it; None for an alert that is gone: its child was
        erased, or it is too old to be kept."""

    async def mark_delivered(self, alert_id: str, channel: str, at: datetime) -> None: ...


class AlertDelivery:
    """Tells every channel of an alert and notes when.

    A failing channel is tried `attempts` times, then given up with an error in the log: one dead
    receiver does not hold up all others.
    """

    def __init__(
        self,
        channels: Mapping[AlertChannel, Channel],
        receipts: Receipts,
        clock: Clock,
        attempts: int = 3,
    ) -> None:
        self._channels = channels
        self._receipts = receipts
        self._clock = clock
        self._attempts = attempts

    async def deliver(self, alert: AlertNotice) -> None:
        done = await self._receipts.delivered_by(alert.alert_id)
        if done is None:
            log.info("alert_gone", alert_id=alert.alert_id)
            return
        for name in alert.channels:
            if name in done:
                continue
            channel = self._channels.get(AlertChannel(name))
            if channel is not None and await self._told(channel, name, alert):
                at: datetime = self._clock()
                await self._receipts.mark_delivered(alert.alert_id, name, at)

    async def _told(self, channel: Channel, name: str, alert: AlertNotice) -> bool:
        for _ in range(self._attempts):
            try:
                await channel.deliver(alert)
            except httpx2.HTTPError as error:
                log.warning("alert_not_delivered", channel=name, error=type(error).__name__)
            else:
                return True
        log.error("alert_given_up", channel=name, alert_id=alert.alert_id)
        return False


def register_alerts(app: faust.App, delivery: AlertDelivery) -> None:
    """Add the agent on `teddy.child.alerts.v1` to `app`."""
    topic = app.topic(CHILD_ALERTS.name, value_serializer="raw", key_serializer="raw")

    async def alerts(stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                await delivery.deliver(AlertNotice.from_json(event.value))
            except MalformedNotice:
                log.exception("alert_malformed", offset=event.message.offset)
            event.ack()

    app.agent(topic, name="alerts")(alerts)
