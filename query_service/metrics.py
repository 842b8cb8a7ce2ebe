"""What operators see of the query service at /metrics."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from query_service.cache.query_cache import QueryCache
from query_service.cache.second_tier import LOOKED_UP, WRITTEN

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class _Evictions(Collector):
    """Counted by the cache, read when the metrics are."""

    def __init__(self, cache: QueryCache[Any]) -> None:
        self._cache = cache

    def collect(self) -> Iterable[Metric]:
        evictions = CounterMetricFamily(
            "teddy_query_cache_evictions",
            "Answers evicted because of the number of entries or bytes, or too large to be cached.",
            labels=("reason",),
        )
        now = self._cache.statistics()
        evictions.add_metric(("entries",), now.evictions - now.evictions_by_bytes)
        evictions.add_metric(("bytes",), now.evictions_by_bytes)
        evictions.add_metric(("too_large",), now.too_large)
        yield evictions


class _Lookups(Collector):
    """By tier: of each process, and of all. Counted by the cache, read when the metrics are."""

    def __init__(self, cache: QueryCache[Any]) -> None:
        self._cache = cache

    def collect(self) -> Iterable[Metric]:
        lookups = CounterMetricFamily(
            "teddy_query_cache_lookups",
            "Lookups of answers by tier, process or shared, and outcome.",
            labels=("tier", "outcome"),
        )
        now, second = self._cache.statistics(), self._cache.second
        counts = {} if second is None else second.counts
        lookups.add_metric(("process", "hit"), now.hits)
        lookups.add_metric(("process", "miss"), now.misses)
        for outcome in () if second is None else LOOKED_UP:
            lookups.add_metric(("shared", outcome), counts.get(("lookup", outcome), 0))
        yield lookups
        writes = CounterMetricFamily(
            "teddy_query_cache_writes",
            "Answers for the shared tier by outcome.",
            labels=("outcome",),
        )
        for outcome in () if second is None else WRITTEN:
            writes.add_metric((outcome,), counts.get(("write", outcome), 0))
        yield writes


class QueryMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        queries = Counter(
            "teddy_queries", "Queries executed.", ("query", "outcome"), registry=registry
        )
        seconds = Histogram(
            "teddy_query_seconds", "Time to answer.", ("query",), registry=registry, buckets=SECONDS
        )
        # looking up a labelled metric costs more than counting with it
        self.queries, self.seconds = cache(queries.labels), cache(seconds.labels)
        """By query, and outcome: hit, miss or failed; by query."""

        self._exports_ended = Counter(
            "teddy_query_exports_ended", "Ended exports by outcome.", ("how",), registry=registry
        )

    def export_ended(self, how: str) -> None:
        """`how` is whole, limit (its time, its token or the process), erased, broken (something
        could not be read) or reader (who read it went away)."""
        self._exports_ended.labels(how).inc()

    def watch_exports(self, under_way: Callable[[], int]) -> None:
        gauge = Gauge("teddy_query_exports", "Exports in progress.", registry=self._registry)
        gauge.set_function(under_way)

    def watch(self, cache: QueryCache[Any], away_seconds: Callable[[], float | None]) -> None:
        """Show the cache's statistics, and how long the read store has been away, read when the
        metrics are."""
        gauge = partial(Gauge, registry=self._registry)
        gauge(
            "teddy_query_read_store_unavailable_seconds",
            "Seconds since the read store became unavailable; 0 while it is available.",
        ).set_function(lambda: away_seconds() or 0.0)
        size = gauge("teddy_query_cache_entries", "Answers in the cache.")
        size.set_function(lambda: cache.statistics().size)
        size = gauge("teddy_query_cache_bytes", "Bytes of the answers in the cache.")
        size.set_function(lambda: cache.statistics().bytes)
        self._registry.register(_Evictions(cache))
        self._registry.register(_Lookups(cache))
        gauge(
            "teddy_query_change_feed_up",
            "1 while change notices are received and answers are cached for their full time "
            "to live.",
        ).set_function(lambda: cache.statistics().keeping)
