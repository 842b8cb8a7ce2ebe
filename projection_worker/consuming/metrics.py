"""What the worker counts and times: batches, lag, troubles, deliveries of alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from projection_worker.consuming.lag import WorkerLag
from projection_worker.projecting.projector import Projected
from projection_worker.projecting.read_model_writes import in_few_words
from shared.clock import Clock, iso
from shared.events.child import AlertChannel
from shared.read_models.deliveries import DeliveryState, OpenDeliveries


@dataclass(slots=True)
class Troubles:
    """`dead_lettered`: children of the live generation that stand still until somebody redrives
    them. `retrying_since`: a batch has been tried in vain since then, `because` of the newest
    failure."""

    clock: Clock
    dead_lettered: int = 0
    retrying_since: datetime | None = field(default=None)
    because: str = ""

    def failed(self, error: Exception) -> str:
        """A batch is to be tried again. The reason, in few words and without values."""
        if self.retrying_since is None:
            self.retrying_since = self.clock()
        self.because = in_few_words(error)
        return self.because

    def got_on(self) -> None:
        self.retrying_since, self.because = None, ""

    @property
    def retrying_seconds(self) -> float:
        since = self.retrying_since
        return 0.0 if since is None else max(0.0, (self.clock() - since).total_seconds())

    def report(self) -> dict[str, Any]:
        retrying = None
        if self.retrying_since is not None:
            retrying = {"since": iso(self.retrying_since), "because": self.because}
        return {
            "dead_lettered_children": self.dead_lettered,
            "retrying": retrying,
        }


GAUGES: Mapping[str, str] = {
    "teddy_dead_lettered_children": "Children whose read models are not updated until their "
    "dead letters are redriven.",
    "teddy_projection_retrying_seconds": "Seconds for which the current batch has failed "
    "repeatedly.",
    "teddy_worker_lag_events": "Records not projected yet, or events of the store seen waiting.",
    "teddy_worker_lag_seconds": "Age of the read models while they lag, in seconds.",
    "teddy_worker_findings": "Number of reasons why this worker does not keep the read "
    "models up to date.",
    "teddy_topics_differing": "Topics that are missing or differ from the plan.",
}


class WorkerMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._applied = Counter(
            "teddy_events_projected_total", "Events folded into read models.", registry=registry
        )
        self._dead_lettered = Counter(
            "teddy_records_dead_lettered_total",
            "Records that were dead-lettered.",
            registry=registry,
        )
        self._seconds = Histogram(
            "teddy_projection_batch_seconds",
            "Seconds from the arrival of a batch to its change notices.",
            registry=registry,
        )
        self._retries = Counter(
            "teddy_projection_retries_total",
            "Retried batches by error.",
            ["error"],
            registry=registry,
        )
        self._gauges = {
            name: Gauge(name, meaning, registry=registry) for name, meaning in GAUGES.items()
        }

    def found(self, findings: int, topics: int) -> None:
        """How many reasons not to be healthy, and how many topics that differ."""
        self._gauges["teddy_worker_findings"].set(findings)
        self._gauges["teddy_topics_differing"].set(topics)

    def batch(self, projected: Projected, seconds: float) -> None:
        self._applied.inc(projected.applied)
        self._dead_lettered.inc(len(projected.dead_lettered))
        self._seconds.observe(seconds)

    def lag(self, lag: WorkerLag) -> None:
        report = lag.report()
        self._gauges["teddy_worker_lag_events"].set(report["events"])
        self._gauges["teddy_worker_lag_seconds"].set(report["seconds"])

    def retry(self, because: str) -> None:
        self._retries.labels(because).inc()

    def troubles(self, troubles: Troubles) -> None:
        self._gauges["teddy_dead_lettered_children"].set(troubles.dead_lettered)
        self._gauges["teddy_projection_retrying_seconds"].set(troubles.retrying_seconds)


OPEN = (DeliveryState.PENDING, DeliveryState.FAILED)


class NotificationMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._open = Gauge(
            "teddy_deliveries",
            "Pending and failed deliveries of alerts, of all workers.",
            ["channel", "state"],
            registry=registry,
        )
        self._waiting = Gauge(
            "teddy_delivery_waiting_seconds",
            "Age of the oldest pending delivery, of all workers.",
            ["channel"],
            registry=registry,
        )
        self._attempts = Counter(
            "teddy_delivery_attempts_total",
            "Delivery attempts of this worker by outcome.",
            ["channel", "outcome"],
            registry=registry,
        )
        self._skipped = Counter(
            "teddy_alert_notices_skipped_total",
            "Invalid records on the topic of alerts.",
            registry=registry,
        )

    def open(self, found: Mapping[tuple[str, str], OpenDeliveries], now: datetime) -> None:
        for channel in AlertChannel:
            for state in OPEN:
                some = found.get((channel, state))
                self._open.labels(channel, state).set(some.count if some else 0)
            waiting = found.get((channel, DeliveryState.PENDING))
            seconds = (now - waiting.oldest).total_seconds() if waiting else 0.0
            self._waiting.labels(channel).set(max(0.0, seconds))

    def attempted(self, channel: str, outcome: str) -> None:
        """`outcome`: delivered, retried or failed."""
        self._attempts.labels(channel, outcome).inc()

    def skipped(self) -> None:
        self._skipped.inc()
