"""GetChildSafetyReport: a child's incidents, what they mean and what to do."""

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import ConfigDict, Field

from query_service.queries.answers import AnswerModel, Instant, StaleSince
from query_service.queries.cursors import Cursors
from query_service.queries.query import Answer, Query, RequestRefused
from query_service.queries.safety_assessment import (
    Findings,
    Recommendation,
    SafetyTrend,
    find,
    recommendations,
)
from query_service.queries.visible_children import (
    AboutOneChild,
    Scope,
    Unopened,
    VisibleChild,
    VisibleChildren,
)
from query_service.read_store.port import Period, ReadModelDatabase
from shared.events.child import Outcome, Severity
from shared.read_models.deliveries import DeliveryState
from shared.read_models.documents import SafetyStatus, ViolationDocument
from shared.serialization.schema import SealedField


@dataclass(frozen=True, slots=True)
class GetChildSafetyReport(Query):
    """Violations reported from `since` (included) to `until` (excluded); None: no limit."""

    child_id: str
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    cursor: str | None = None

    @property
    def period(self) -> Period:
        return Period(self.since, self.until)


class ReportedViolation(AnswerModel):
    violation_id: str
    type: str = Field(description="Its category, as reported.")
    severity: Severity
    at: Instant
    conversation_id: str | None
    details: str | None
    resolved: bool
    resolved_at: Instant | None
    outcome: Outcome | None
    acknowledged_at: Instant | None = Field(description="When the parent acknowledged it.")


class SafetyReport(AnswerModel):
    """Counts, categories and recommendations are of all violations in the period, whatever the page
    lists of them; score, status, trend, flagged content and notifications are the child's today."""

    model_config = ConfigDict(validate_by_name=True)

    child_id: str
    version: int
    stale_since: StaleSince
    since: Instant | None = Field(
        alias="from", description="Beginning of the period, inclusive; null: unlimited."
    )
    until: Instant | None = Field(
        alias="to", description="End of the period, exclusive; null: unlimited."
    )
    safety_score: float
    safety_status: SafetyStatus
    safety_trend: SafetyTrend
    flagged_content_count: int
    parent_notifications_sent: int = Field(
        description="Delivered notifications: one per alert and channel."
    )
    parent_notifications_pending: int = Field(description="Pending notifications, being retried.")
    parent_notifications_failed: int = Field(
        description="Failed notifications, after three days of attempts."
    )
    total_violations: int
    open_violations: int
    high_severity_violations: int = Field(description="High and critical ones.")
    violations_by_severity: dict[Severity, int]
    violations_by_category: dict[str, int]
    last_violation_at: Instant | None
    recommendations: list[Recommendation]
    violations: list[ReportedViolation] = Field(description="One page, newest first.")
    next_cursor: str | None
    unreadable: list[str] = Field(
        description="Ids of listed violations whose `details` cannot be decrypted and are "
        "null; contact an operator."
    )


@dataclass(frozen=True, slots=True)
class GetChildSafetyReportHandler(AboutOneChild):
    """What it reads of a child does not grow with the child: a page, counters that the projections
    keep, and what the database counts."""

    store: ReadModelDatabase
    children: VisibleChildren
    cursors: Cursors
    ttl: float

    async def handle(self, query: GetChildSafetyReport, scope: Scope) -> Answer:
        if query.since and query.until and query.since >= query.until:
            raise RequestRefused("to", "must be later than `from`", "> from")
        about = (query.child_id, query.period)
        after = self.cursors.read(query.cursor, about)
        child = await self.children.find(query.child_id, scope)
        found = await find(self.store, child.document, query.period, after, query.limit + 1)
        page, next_cursor = self.cursors.page(found.page, query.limit, "at", about)
        report = _report(query, child, replace(found, page=page), next_cursor)
        return Answer(report, (child.id,), child.document["version"])


def _report(
    query: GetChildSafetyReport, child: VisibleChild, found: Findings, next_cursor: str | None
) -> SafetyReport:
    document, counts, unopened = child.document, found.counts, Unopened()
    flagged = document["flagged_content_count"]
    unreported = flagged > 0 and not found.has_reports
    return SafetyReport(
        child_id=document["_id"],
        version=document["version"],
        stale_since=child.stale_since,
        since=query.since,
        until=query.until,
        safety_score=document["safety_score"],
        safety_status=child.safety_status,
        safety_trend=found.trend,
        flagged_content_count=flagged,
        parent_notifications_sent=found.delivered,
        parent_notifications_pending=found.deliveries.get(DeliveryState.PENDING, 0),
        parent_notifications_failed=found.deliveries.get(DeliveryState.FAILED, 0),
        total_violations=counts.total,
        open_violations=counts.still_open,
        high_severity_violations=counts.severe,
        violations_by_severity={one: counts.by_severity.get(one, 0) for one in Severity},
        violations_by_category=dict(counts.by_category),
        last_violation_at=found.newest[0]["at"] if found.newest else None,
        recommendations=recommendations(counts, unreported, child.stale_since),
        violations=[_reported(child, one, unopened) for one in found.page],
        next_cursor=next_cursor,
        unreadable=unopened.places,
    )


def _reported(
    child: VisibleChild, violation: ViolationDocument, unopened: Unopened
) -> ReportedViolation:
    details = SealedField("details", violation["id"])
    return ReportedViolation.model_validate(
        {
            **violation,
            "violation_id": violation["id"],
            "details": unopened.open(child, violation["details"], details, violation["id"]),
            "resolved": violation["resolved_at"] is not None,
        }
    )
