"""What the worker counts and times."""

from collections.abc import Mapping

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from projection_worker.lag import WorkerLag
from projection_worker.projector import Projected
from projection_worker.troubles import Troubles

GAUGES: Mapping[str, str] = {
    "teddy_dead_lettered_children": "Children whose read models stand still until somebody "
    "redrives them.",
    "teddy_projection_retrying_seconds": "How long the batch under way has been tried in vain.",
    "teddy_worker_lag_events": "Records not projected yet; at least so many events of the store.",
    "teddy_worker_lag_seconds": "Age of the read models while behind.",
    "teddy_worker_findings": "Reasons why this worker does not keep the read models up to date.",
    "teddy_topics_differing": "Topics that are missing or not as planned.",
}


class WorkerMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._applied = Counter(
            "teddy_events_projected_total", "Events folded into read models.", registry=registry
        )
        self._parked = Counter(
            "teddy_records_parked_total", "Records put aside as dead letters.", registry=registry
        )
        self._seconds = Histogram(
            "teddy_projection_batch_seconds",
            "Seconds from a batch's arrival to its notices.",
            registry=registry,
        )
        self._retries = Counter(
            "teddy_projection_retries_total",
            "Batches tried again, by what failed.",
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
        self._parked.inc(len(projected.parked))
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
