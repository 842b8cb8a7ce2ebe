"""What a safety report is made of, as the read models tell it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from query_service.queries.safety_assessment import TREND_PERIOD, SafetyTrend, safety_trend
from query_service.read_store.port import (
    Period,
    Place,
    ReadModelDatabase,
    ViolationCounts,
    Violations,
)
from shared.read_models.deliveries import DeliveryState
from shared.read_models.documents import ChildDocument, SafetyDocument, ViolationDocument


@dataclass(frozen=True, slots=True)
class Notifications:
    """How many alerts, times channels, were delivered, wait, and were given up."""

    delivered: int
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class Findings:
    """`page`: a page of the violations. `newest`: begins with the newest of the period, if there is
    one. `has_reports`: whether there ever was one, in the period or not."""

    page: Sequence[ViolationDocument]
    newest: Sequence[ViolationDocument]
    counts: ViolationCounts
    trend: SafetyTrend
    has_reports: bool
    notifications: Notifications


async def find(
    store: ReadModelDatabase, child: ChildDocument, period: Period, after: Place | None, limit: int
) -> Findings:
    """At most `limit` violations of the child after `after`; all else of the whole period. Raises
    ReadStoreUnavailable."""
    safety = await store.safety(child["_id"])
    violations = await store.violations_of(child["_id"])
    page = await violations.page(period, after, limit)
    return Findings(
        page=page,
        newest=page if after is None else await violations.page(period, None, 1),
        counts=await _counts(period, violations, safety, child),
        trend=await _trend(violations, child["updated_at"]),
        has_reports=safety is not None and safety["total_violations"] > 0,
        notifications=await _notifications(store, child["_id"]),
    )


async def _counts(
    period: Period, violations: Violations, safety: SafetyDocument | None, child: ChildDocument
) -> ViolationCounts:
    """Of all times as the projections counted them; else, and where older ones did not, as the
    database counts them now."""
    if safety is None:
        return ViolationCounts()
    categories = safety["violations_by_category"]
    if not period.is_unlimited or "told_late" not in safety:
        return await violations.count(period, categories)
    return ViolationCounts(
        safety["violations_by_severity"],
        categories,
        child["open_violations_count"],
        safety["told_late"],
    )


async def _trend(violations: Violations, newest_event_at: datetime) -> SafetyTrend:
    middle = newest_event_at - TREND_PERIOD
    recent = await violations.cost(middle, newest_event_at)
    return safety_trend(recent, await violations.cost(middle - TREND_PERIOD, middle))


async def _notifications(store: ReadModelDatabase, child_id: str) -> Notifications:
    """Delivered ones stand in the alerts, also those from before deliveries were kept."""
    states = await store.deliveries_about(child_id)
    return Notifications(
        await store.delivered_about(child_id),
        states.get(DeliveryState.PENDING, 0),
        states.get(DeliveryState.FAILED, 0),
    )
