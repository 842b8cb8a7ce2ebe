"""Begins deliveries: an alert's when its notice is on the topic, and by a sweep all that are due,
whoever was to deliver them and died.

What is to be delivered stands in the read store since the alert was raised, so nothing depends on a
notice: the sweep finds what the agent never got to. A notice says only that there is something to
do now; how often it comes, and to which group of consumers, changes nothing."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import faust
import structlog
from mode import Service
from pymongo.errors import PyMongoError

from projection_worker.consuming.kafka_clients import NoticePublisher
from projection_worker.notifications.delivery_store import DeliveryStore
from projection_worker.notifications.lane import Deliveries, Lane, Settled
from projection_worker.notifications.metrics import NotificationMetrics
from shared.clock import Clock, utc_now
from shared.events.child import AlertChannel
from shared.kafka import CHILD_ALERTS
from shared.mongo import Database
from shared.read_models.deliveries import DeliveryState, open_deliveries
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation
from shared.read_models.notices import AlertNotice, MalformedNotice

log = structlog.get_logger(__name__)

NOTICE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class AlertIntake:
    """In the app an alert is delivered with its notice: open apps receive it from the same topic.
    That waits for no other channel; those begin in lanes of their own."""

    store: Deliveries
    lanes: Mapping[str, Lane]
    settled: Settled

    async def take(self, notice: AlertNotice) -> None:
        """Raises PyMongoError; then the sweep does it."""
        found = await self.store.of_alert(notice.alert_id)
        waiting = [one for one in found if one["state"] == DeliveryState.PENDING]
        for delivery in waiting:
            in_app = delivery["channel"] == AlertChannel.IN_APP
            if in_app and await self.store.delivered(delivery):
                await self.settled(delivery)
        for delivery in waiting:
            lane = self.lanes.get(delivery["channel"])
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
        log.warning("alert_notice_not_handled", error=type(error).__name__)


def register_alerts(app: faust.App, intake: AlertIntake, metrics: NotificationMetrics) -> None:
    """Add the agent on `teddy.child.alerts.v1` to `app`."""
    topic = app.topic(CHILD_ALERTS.name, value_serializer="raw", key_serializer="raw")

    async def alerts(stream: Any) -> None:
        async for event in stream.noack().events():
            await take_record(intake, event.value, metrics)
            event.ack()

    app.agent(topic, name="alerts")(alerts)


async def policies_naming(database: Database, channels: Iterable[AlertChannel]) -> dict[str, int]:
    """How many children's policies name each of `channels`, without those that none names."""
    live = await live_generation(database)
    safety = live.collection(database, Model.SAFETY)
    found = {}
    for channel in channels:
        wanted = {"alert_policy.channels": channel.value}
        if count := await safety.count_documents(wanted):
            found[channel.value] = count
    return found


SWEEP_SECONDS = 2.0
LOOK_SECONDS = 5.0
LOOKS_A_GIVING_UP = 12
ANSWER_SECONDS = 5.0


@dataclass(slots=True)
class NotificationReport:
    """For readiness: how many deliveries wait, for how many seconds the oldest, how many failed,
    and how many children's alert policies name a channel that nobody configured."""

    pending: int = 0
    waiting_seconds: float = 0.0
    failed: int = 0
    unconfigured: Mapping[str, int] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        return {"notifications": asdict(self)}


@contextmanager
def _warning(event: str, **about: str) -> Iterator[None]:
    """Of a store that is away."""
    try:
        yield
    except (PyMongoError, TimeoutError) as error:
        log.warning(event, **about, error=type(error).__name__)


class NotificationService(Service):
    """Any number of workers may run it: a delivery is claimed by one of them."""

    def __init__(
        self,
        lanes: Collection[Lane],
        store: DeliveryStore,
        database: Database,
        publisher: NoticePublisher,
        metrics: NotificationMetrics,
        clock: Clock = utc_now,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._lanes = lanes
        self._store = store
        self._database = database
        self._publisher = publisher
        self._metrics = metrics
        self._clock = clock
        self.counted = NotificationReport()

    async def on_start(self) -> None:
        await self._publisher.start()
        for lane in self._lanes:
            self.add_future(self._sweep(lane))

    async def on_stop(self) -> None:
        for lane in self._lanes:
            lane.cancel()
        await self._publisher.stop()

    async def _sweep(self, lane: Lane) -> None:
        while not self.should_stop:
            more = False
            with _warning("notification_sweep_retried", channel=lane.name):
                async with asyncio.timeout(ANSWER_SECONDS):
                    more = await lane.sweep()
            if more and lane.under_way:
                await lane.room(SWEEP_SECONDS)
            else:
                await self.sleep(SWEEP_SECONDS)

    @Service.task
    async def _adopt(self) -> None:
        """Some at a time: behind a rollback there may be many to look at."""
        while not self.should_stop:
            with _warning("alerts_not_adopted"):
                async with asyncio.timeout(ANSWER_SECONDS):
                    looked_at = await self._store.adopt()
                if looked_at:
                    log.info("alerts_of_a_new_generation", alerts=looked_at)
                    continue
            await self.sleep(SWEEP_SECONDS)

    @Service.task
    async def _look(self) -> None:
        looks = 0
        while not self.should_stop:
            with _warning("deliveries_not_counted"):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self.look(give_up=looks % LOOKS_A_GIVING_UP == 0)
            looks += 1
            await self.sleep(LOOK_SECONDS)

    async def look(self, *, give_up: bool) -> None:
        """Count what is open; with `give_up`, fail what has waited too long."""
        configured = {lane.name for lane in self._lanes}
        if give_up and (given_up := await self._store.give_up(configured)):
            log.error("deliveries_failed", deliveries=given_up)
        found, now = await open_deliveries(self._database), self._clock()
        self._metrics.open(found, now)
        missing = [channel for channel in AlertChannel if channel not in configured]
        self.counted.unconfigured = await policies_naming(self._database, missing)
        waiting = [some for (_, state), some in found.items() if state == DeliveryState.PENDING]
        ages = [(now - some.oldest).total_seconds() for some in waiting]
        self.counted.pending = sum(some.count for some in waiting)
        self.counted.waiting_seconds = max([0.0, *ages])
        self.counted.failed = sum(
            some.count for (_, state), some in found.items() if state == DeliveryState.FAILED
        )
