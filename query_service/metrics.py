"""What operators see of the query service at /metrics."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from query_service.cache.query_cache import QueryCache, V

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class QueryMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._asked = Counter(
            "teddy_queries", "Queries asked.", ("query", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "teddy_query_seconds", "Time to answer.", ("query",), registry=registry, buckets=SECONDS
        )
        self._exports_ended = Counter(
            "teddy_query_exports_ended", "Exports by how they ended.", ("how",), registry=registry
        )

    def asked(self, query: str, outcome: str, seconds: float) -> None:
        """`outcome` is hit, miss or failed."""
        self._asked.labels(query, outcome).inc()
        self._seconds.labels(query).observe(seconds)

    def export_ended(self, how: str) -> None:
        """`how` is whole, limit (its time, its token or the process), erased, broken (something
        could not be read) or reader (who read it went away)."""
        self._exports_ended.labels(how).inc()

    def watch_exports(self, under_way: Callable[[], int]) -> None:
        gauge = Gauge("teddy_query_exports", "Exports under way.", registry=self._registry)
        gauge.set_function(under_way)

    def watch(self, cache: QueryCache[V], away_seconds: Callable[[], float | None]) -> None:
        """Show the cache's statistics, and how long the read store has been away, read when the
        metrics are."""
        away = Gauge(
            "teddy_query_read_store_away_seconds",
            "How long the read store has not answered; 0 while it does.",
            registry=self._registry,
        )
        away.set_function(lambda: away_seconds() or 0.0)
        size = Gauge("teddy_query_cache_entries", "Answers kept.", registry=self._registry)
        size.set_function(lambda: cache.statistics().size)
        keeping = Gauge(
            "teddy_query_cache_keeping",
            "1 while answers are kept: change notices arrive.",
            registry=self._registry,
        )
        keeping.set_function(lambda: cache.statistics().keeping)
