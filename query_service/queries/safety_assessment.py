"""What a child's safety violations mean: findings, the trend, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from query_service.queries.answers import AnswerModel
from query_service.read_store.port import (
    PageEnd,
    Period,
    ReadModelDatabase,
    ViolationCounts,
    Violations,
)
from shared.clock import iso
from shared.read_models.documents import OTHER, ChildDocument, SafetyDocument, ViolationDocument

TREND_PERIOD = timedelta(days=30)
MANY_VIOLATIONS = 5
REPEATED = 3


class SafetyTrend(StrEnum):
    IMPROVING = "improving"
    STABLE = "stable"
    DECLINING = "declining"


class Recommendation(AnswerModel):
    code: str = Field(examples=["enable-immediate-notifications"])
    text: str
    category: str | None = Field(None, description="The recurring category.")


def safety_trend(recent: float, before: float) -> SafetyTrend:
    """Penalties of the 30 days up to the newest event against those of the 30 days before."""
    if recent == before:
        return SafetyTrend.STABLE
    return SafetyTrend.IMPROVING if recent < before else SafetyTrend.DECLINING


def recommendations(
    counts: ViolationCounts, flagged_without_report: bool, stale_since: datetime | None = None
) -> list[Recommendation]:
    """In order of urgency; never empty. `stale_since`: what happened later is not known here."""
    advice = []
    if stale_since is not None:
        text = f"This report is incomplete since {iso(stale_since)}: ask an operator to redrive it."
        advice.append(Recommendation(code="picture-is-incomplete", text=text))
    if counts.total > MANY_VIOLATIONS:
        text = "Review the topics this child may talk about and the content filters."
        advice.append(Recommendation(code="review-topics-and-filters", text=text))
    if counts.told_late:
        text = "Enable immediate notifications: a severe violation raised no immediate alert."
        advice.append(Recommendation(code="enable-immediate-notifications", text=text))
    # without OTHER, which nobody can look into
    by_name = [one for one in counts.by_category.items() if one[1] >= REPEATED and one[0] != OTHER]
    for name, count in sorted(by_name, key=lambda item: (-item[1], item[0])):
        text = f"Review {name}: it was reported {count} times."
        advice.append(Recommendation(code="repeated-category", text=text, category=name))
    if flagged_without_report:
        text = "Review the flagged content: none of it was reported as a violation."
        advice.append(Recommendation(code="review-flagged-content", text=text))
    if not advice and counts.still_open:
        text = "Review the reported violations: some are not resolved yet."
        advice.append(Recommendation(code="resolve-open-violations", text=text))
    if not advice:
        text = "All is well: nothing needs attention."
        advice.append(Recommendation(code="all-is-well", text=text))
    return advice


@dataclass(frozen=True, slots=True)
class Findings:
    """`page`: a page of the violations. `newest`: begins with the newest of the period, if there is
    one. `has_reports`: whether there ever was one, in the period or not. `delivered`: how many
    alerts, times channels, were; it stands in the alerts, also those from before deliveries were
    kept. `deliveries`: how many are in which state."""

    page: Sequence[ViolationDocument]
    newest: Sequence[ViolationDocument]
    counts: ViolationCounts
    trend: SafetyTrend
    has_reports: bool
    delivered: int
    deliveries: Mapping[str, int]


async def find(
    store: ReadModelDatabase,
    child: ChildDocument,
    period: Period,
    after: PageEnd | None,
    limit: int,
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
        delivered=await store.delivered_about(child["_id"]),
        deliveries=await store.deliveries_about(child["_id"]),
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
