"""One channel's deliveries: a few at a time, each within a time limit, behind a circuit breaker.

Each channel has a lane of its own, so that a receiver which hangs delays nobody but itself. One
that is known to be away is asked once in a while, not for every alert."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from pymongo.errors import PyMongoError

from projection_worker.notifications.channels import Channel, NotDelivered
from projection_worker.notifications.metrics import NotificationMetrics
from shared.events.child import AlertChannel
from shared.fault_points import FaultPoint, reached
from shared.read_models.deliveries import DeliveryDocument

log = structlog.get_logger(__name__)


class Deliveries(Protocol):
    """Every method may raise PyMongoError: nothing was changed, or it is unknown whether."""

    async def of_alert(self, alert_id: str) -> list[DeliveryDocument]:
        """All of an alert; none where nobody is to be notified of it."""

    async def due(self, channel: str, most: int) -> list[str]:
        """Ids of deliveries that may be tried now, those that wait longest first."""

    async def claim(self, wanted_id: str) -> DeliveryDocument | None:
        """The delivery, for now the caller's alone; None when it is not due (any more)."""

    async def delivered(self, delivery: DeliveryDocument) -> bool:
        """Note it, whoever claimed it last; whether it was new."""

    async def not_delivered(self, delivery: DeliveryDocument, reason: str) -> bool:
        """Note why and when it is tried again; True when it was tried for the last time. What
        somebody else claimed meanwhile is theirs."""


FAILURES_TO_OPEN = 5
PROBE_EVERY_SECONDS = 30.0


@dataclass(slots=True, eq=False)
class CircuitBreaker:
    """Open after `FAILURES_TO_OPEN` failures in a row; then one attempt each
    `PROBE_EVERY_SECONDS`, of which the first that succeeds closes it. `monotonic` gives seconds."""

    monotonic: Callable[[], float]
    _failures: int = field(default=0, init=False)
    _probe_at: float = field(default=0.0, init=False)

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES_TO_OPEN

    def allowed(self, most: int) -> int:
        """How many attempts may begin now, at most `most`."""
        if not self.is_open:
            return most
        return min(most, 1) if self.monotonic() >= self._probe_at else 0

    def begin(self) -> None:
        """An attempt begins: while open, the next one has to wait."""
        if self.is_open:
            self._probe_at = self.monotonic() + PROBE_EVERY_SECONDS

    def withdrawn(self) -> None:
        """What was begun was not attempted: the next one need not wait for it."""
        if self.is_open:
            self._probe_at = self.monotonic()

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._probe_at = self.monotonic() + PROBE_EVERY_SECONDS


AT_A_TIME = 8
ATTEMPT_SECONDS = 10.0
NOTE_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds; together less than a claim: a store that is away for a moment costs no second copy."""

Settled = Callable[[DeliveryDocument], Awaitable[None]]
"""Called with what was delivered or given up: what answers say of it is out of date."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an attempt may take, and the pauses between attempts to note what came of it."""

    attempt_seconds: float = ATTEMPT_SECONDS
    note_pauses: Sequence[float] = NOTE_PAUSES


PATIENCE = Patience()


@dataclass(slots=True, eq=False)
class Lane:
    """Deliveries by one channel."""

    name: AlertChannel
    channel: Channel
    store: Deliveries
    settled: Settled
    metrics: NotificationMetrics
    patience: Patience = PATIENCE
    breaker: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(time.monotonic))
    _beginning: int = field(default=0, init=False)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    @property
    def free(self) -> int:
        """How many attempts may begin now."""
        return self.breaker.allowed(AT_A_TIME - len(self._under_way) - self._beginning)

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    async def sweep(self) -> bool:
        """Begin with what is due, as far as there is room; whether there may be more."""
        free = self.free
        due = await self.store.due(self.name, free) if free else []
        for wanted_id in due:
            await self.offer(wanted_id)
        return len(due) == free

    async def offer(self, wanted_id: str) -> None:
        """Try it now if there is room; else the sweep finds it. Returns once it has begun."""
        if not self.free:
            return
        delivery = await self._claimed(wanted_id)
        if delivery is None:
            return
        task = asyncio.create_task(self._attempt(delivery))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _claimed(self, wanted_id: str) -> DeliveryDocument | None:
        """The place is taken before the claim, so that two offers do not share it, and given back
        where nothing comes of it."""
        self.breaker.begin()
        self._beginning += 1
        delivery = None
        try:
            delivery = await self.store.claim(wanted_id)
        finally:
            self._beginning -= 1
            if delivery is None:
                self.breaker.withdrawn()
        return delivery

    async def room(self, seconds: float) -> None:
        """Wait until something that is under way ends, but not longer."""
        if self._under_way:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait(set(self._under_way), timeout=seconds, return_when=first)

    async def settle(self) -> None:
        """Wait for what is under way."""
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    def cancel(self) -> None:
        """Whoever is claimed now is due again when the claim ends."""
        for task in self._under_way:
            task.cancel()

    async def _attempt(self, delivery: DeliveryDocument) -> None:
        """Raises nothing: what cannot even be noted is due again when its claim ends."""
        try:
            reason = await self._reason(delivery)
            reached(FaultPoint.NOTIFICATION_BEFORE_NOTE)
            await self._note_persistently(delivery, reason)
        except Exception as error:  # noqa: BLE001 - the claim ends by itself, and the sweep goes on
            log.warning(
                "delivery_result_not_recorded", delivery=delivery["_id"], error=type(error).__name__
            )

    async def _reason(self, delivery: DeliveryDocument) -> str | None:
        """Why it did not work; None when it did."""
        reached(FaultPoint.NOTIFICATION_BEFORE_SEND)
        try:
            async with asyncio.timeout(self.patience.attempt_seconds):
                await self.channel.deliver(delivery)
        except NotDelivered as error:
            if error.of_the_receiver:
                self.breaker.failed()
            return error.reason
        except Exception as error:  # noqa: BLE001 - one delivery's trouble ends no lane
            self.breaker.failed()
            return type(error).__name__
        self.breaker.succeeded()
        return None

    async def _note_persistently(self, delivery: DeliveryDocument, reason: str | None) -> None:
        for pause in self.patience.note_pauses:
            try:
                return await self._note(delivery, reason)
            except PyMongoError as error:
                log.warning("delivery_result_record_retried", error=type(error).__name__)
                await asyncio.sleep(pause)
        return await self._note(delivery, reason)

    async def _note(self, delivery: DeliveryDocument, reason: str | None) -> None:
        logged = {
            "delivery": delivery["_id"],
            "channel": self.name,
            "attempts": delivery["attempts"],
        }
        if reason is None:
            if await self.store.delivered(delivery):
                self.metrics.attempted(self.name, "delivered")
                log.info("alert_delivered", **logged)
                await self.settled(delivery)
            return
        log.warning("alert_not_delivered", error=reason, **logged)
        if await self.store.not_delivered(delivery, reason):
            self.metrics.attempted(self.name, "failed")
            log.error("alert_delivery_failed", error=reason, **logged)
            await self.settled(delivery)
        else:
            self.metrics.attempted(self.name, "retried")
