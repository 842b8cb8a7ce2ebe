"""Whether the worker makes progress: its lag, what it retries, and both as metrics."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from projection_worker.consuming.store_lag import StoreLag
from projection_worker.projecting.projector import Projected
from projection_worker.projecting.unstorable import in_few_words
from shared.clock import Clock, iso


class Stalled(Exception):
    """Nothing has succeeded for too long: the process is to be started anew."""


@dataclass(slots=True)
class WorkerLag:
    """`events`: records not projected yet on this worker's partitions. `seconds`: how old the
    newest projected record is while others wait. `partitions`: the records by partition. `store`:
    the live generation against the event store, for a worker that reads nothing from Kafka is not
    up to date."""

    clock: Clock
    stall_seconds: float
    events: int = 0
    seconds: float = 0.0
    progressed_at: float = 0.0
    partitions: Mapping[int, int] = field(default_factory=dict)
    store: StoreLag = field(default_factory=StoreLag)
    _reached: int = -1
    _newest: datetime | None = None

    def projected(self, timestamp_ms: int) -> None:
        """The newest projected record was written to Kafka at `timestamp_ms`."""
        self._newest = datetime.fromtimestamp(timestamp_ms / 1_000, UTC)

    def progressed(self, now: float) -> None:
        """Something was projected, though no record is done with yet. `now`: monotonic."""
        self.progressed_at = now

    def measure(
        self, ends: Mapping[object, int], positions: Mapping[object, int], now: float
    ) -> None:
        """Compare ends and positions of the partitions; raises Stalled. `now`: monotonic."""
        reached = sum(positions.values())
        self.events = max(0, sum(ends.values()) - reached)
        if self.events == 0 or reached != self._reached:
            self.progressed_at, self._reached = now, reached
        waited = now - self.progressed_at
        age = (self.clock() - self._newest).total_seconds() if self._newest else waited
        self.seconds = round(max(0.0, age), 3) if self.events else 0.0
        if waited > self.stall_seconds:
            raise Stalled(f"{self.events} records wait, none projected for {waited:.0f} s")

    def report(self) -> dict[str, float]:
        behind = round(self.store.seconds(time.monotonic()), 3)
        events = max(self.events, self.store.events)
        return {"events": events, "seconds": max(self.seconds, behind)}

    def findings(self) -> tuple[str, ...]:
        """Why the read models cannot be called up to date, in one line each."""
        behind = self.store.seconds(time.monotonic())
        if behind <= self.stall_seconds:
            return ()
        found = f"read models are {behind:.0f} s behind the event store: see the log of the worker"
        return (found,)


@dataclass(slots=True)
class Attempts:
    """Something that is tried again and again: for how long in vain."""

    what: str
    now: Callable[[], float] = time.monotonic
    _failing_since: float | None = None

    def succeeded(self) -> None:
        self._failing_since = None

    def failed(self) -> None:
        if self._failing_since is None:
            self._failing_since = self.now()

    @property
    def seconds(self) -> float:
        return 0.0 if self._failing_since is None else self.now() - self._failing_since

    def check(self, limit_seconds: float) -> None:
        """Raises Stalled when it has failed for longer."""
        if self.seconds > limit_seconds:
            raise Stalled(f"{self.what} for {self.seconds:.0f} s, though the broker answers others")


@dataclass(slots=True)
class Troubles:
    """`dead_lettered`: children of the live generation that stand still until somebody redrives
    them. `retrying_since`: a batch has been tried in vain since then, `because` of the newest
    failure."""

    clock: Clock
    dead_lettered: int = 0
    retrying_since: datetime | None = None
    because: str = ""

    def failed(self, error: Exception) -> str:
        """A batch is to be tried again. The reason, in few words and without values."""
        if self.retrying_since is None:
            self.retrying_since = self.clock()
        self.because = in_few_words(error)
        return self.because

    def succeeded(self) -> None:
        self.retrying_since, self.because = None, ""

    @property
    def retrying_seconds(self) -> float:
        since = self.retrying_since
        return 0.0 if since is None else max(0.0, (self.clock() - since).total_seconds())

    def report(self) -> dict[str, Any]:
        retrying = None
        if self.retrying_since is not None:
            retrying = {"since": iso(self.retrying_since), "because": self.because}
        return {"dead_lettered_children": self.dead_lettered, "retrying": retrying}


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
        counter = partial(Counter, registry=registry)
        self._applied = counter("teddy_events_projected_total", "Events folded into read models.")
        self._dead_lettered = counter(
            "teddy_records_dead_lettered_total", "Records that were dead-lettered."
        )
        self._retries = counter(
            "teddy_projection_retries_total", "Retried batches by error.", ["error"]
        )
        self._seconds = Histogram(
            "teddy_projection_batch_seconds",
            "Seconds from the arrival of a batch to its change notices.",
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
