"""How many queries wait for read models at a time, and how many of one subject."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge

from query_service.cache.gates import ReadModelLate
from shared.auth.principal import Principal
from shared.http.shares import Shares


class NoRoomToWait(ReadModelLate):
    """Said at once: as many wait already as may."""


class Waits:
    """Beyond `most` in all, or its `share` (0 to 1) of them, a subject hears at once what it would
    hear after waiting in vain."""

    def __init__(self, most: int, share: float, registry: CollectorRegistry) -> None:
        self._most = most
        self._waiting = 0
        self._of_subject = Shares[Principal](most, share)
        gauge = Gauge(
            "teddy_queries_waiting", "Queries that wait for read models.", registry=registry
        )
        gauge.set_function(lambda: self._waiting)
        self._refused = Counter(
            "teddy_query_waits_refused",
            "Queries that could not wait, because of the total or of their subject's share.",
            ("reason",),
            registry=registry,
        )

    @contextmanager
    def one_of(self, subject: Principal) -> Iterator[None]:
        """One more wait, for as long as the block. Raises NoRoomToWait."""
        if self._waiting >= self._most:
            raise self._no_room("total")
        if not self._of_subject.take(subject):
            raise self._no_room("subject")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self._of_subject.give_back(subject)

    def _no_room(self, reason: str) -> NoRoomToWait:
        self._refused.labels(reason).inc()
        return NoRoomToWait()
