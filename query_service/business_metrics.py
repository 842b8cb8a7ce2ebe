"""The figures of business at /metrics: read in the background, not by who asks for the metrics."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from query_service.read_store.business_figures import (
    BusinessFigures,
    OpenViolations,
    Resolutions,
    two_days,
)
from query_service.read_store.port import ReadStoreUnavailable
from query_service.read_store.recent_figures import KEPT, RecentFigures
from shared.events.child import AlertChannel, Severity
from shared.read_models.deliveries import DeliveryState
from shared.read_models.documents import ChildStatus

REFRESH_SECONDS = KEPT.total_seconds()
OLDEST = 4 * KEPT
"""Figures that nobody read again are not shown for longer."""

log = structlog.get_logger(__name__)


class BusinessMetrics(Collector):
    """They are absent while the read store does not answer: a number that stands still, or a zero,
    would be believed. Every process shows the same, as of at most REFRESH_SECONDS ago."""

    def __init__(self, registry: CollectorRegistry, figures: RecentFigures) -> None:
        self._figures = figures
        registry.register(self)

    async def follow(self) -> None:
        """Have them read again and again, for ever; what somebody else had read is not read
        again."""
        while True:
            if not self._figures.recent_for():
                await self.refresh()
            await asyncio.sleep(self._figures.recent_for() or REFRESH_SECONDS)

    async def refresh(self) -> None:
        try:
            await self._figures.anew()
        except ReadStoreUnavailable as error:
            log.warning("business_figures_unknown", error=str(error))
        except Exception as error:  # noqa: BLE001 - read again soon; until then they are absent
            log.warning("business_figures_failed", error=type(error).__name__)

    def collect(self) -> Iterable[Metric]:
        known, now = self._figures.last, self._figures.clock()
        if known is None or self._figures.store.away_seconds() is not None:
            return
        if now - known.at > OLDEST:
            return
        figures = known.figures
        yield _gauge(
            "teddy_children",
            "Accounts by status; the sum is all registrations.",
            ("status",),
            {(one,): known.counters.get(f"children_{one}", 0) for one in ChildStatus},
        )
        if two_days(known.at) == two_days(now):
            yield from _by_day(figures, known.at)
        if figures.open_violations is not None:
            yield from _open_violations(figures.open_violations, known.at)
        if figures.resolutions is not None:
            yield from _resolutions(figures.resolutions)
        if figures.deliveries is not None:
            yield _notifications(figures.deliveries)


def _notifications(known: Mapping[tuple[str, str], int]) -> Metric:
    return _gauge(
        "teddy_recent_notifications",
        "Notifications about violations of the last 30 days, by channel and state.",
        ("channel", "state"),
        {
            (channel, state): known.get((channel, state), 0)
            for channel in AlertChannel
            for state in DeliveryState
        },
    )


def _gauge(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=labels)
    for of, value in values.items():
        gauge.add_metric(of, value)
    return gauge


def _by_day(figures: BusinessFigures, now: datetime) -> Iterable[Metric]:
    days = dict(zip(("yesterday", "today"), two_days(now), strict=True))
    for name, text, counted in (
        ("teddy_registrations", "Registrations of a UTC day.", figures.registrations),
        ("teddy_active_children", "Active children of a UTC day.", figures.active_children),
    ):
        if counted is None:
            continue
        yield _gauge(name, text, ("day",), {(of,): counted.get(day, 0) for of, day in days.items()})


def _open_violations(known: Mapping[str, OpenViolations], now: datetime) -> Iterable[Metric]:
    yield _gauge(
        "teddy_open_violations",
        "Unresolved violations by severity.",
        ("severity",),
        {(one,): known[one].count if one in known else 0 for one in Severity},
    )
    ages: dict[tuple[str, ...], float] = {
        (one,): (now - known[one].oldest).total_seconds() if one in known else 0.0
        for one in Severity
    }
    yield _gauge(
        "teddy_open_violation_oldest_seconds",
        "Seconds since the oldest unresolved violation happened; 0: there is none.",
        ("severity",),
        ages,
    )


def _resolutions(known: Mapping[str, Resolutions]) -> Iterable[Metric]:
    none = Resolutions(0, 0, 0.0)
    found = {one: known.get(one, none) for one in Severity}
    counts: dict[tuple[str, ...], float] = {(one, "yes"): of.soon for one, of in found.items()}
    counts |= {(one, "no"): of.count - of.soon for one, of in found.items()}
    yield _gauge(
        "teddy_recent_resolutions",
        "Violations resolved in the last 30 days, by severity, and whether within 24 hours.",
        ("severity", "within_24_hours"),
        counts,
    )
    yield _gauge(
        "teddy_recent_resolution_seconds",
        "Seconds from when these violations happened until they were resolved, all together.",
        ("severity",),
        {(one,): of.seconds for one, of in found.items()},
    )
