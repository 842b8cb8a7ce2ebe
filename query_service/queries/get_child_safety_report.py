"""GetChildSafetyReport: a child's incidents, what they mean and what to do."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ConfigDict, Field

from query_service.cache.query_cache import Tag, child_tag
from query_service.queries.answers import AnswerModel, Instant, StaleSince
from query_service.queries.errors import RequestRefused
from query_service.queries.safety_assessment import (
    Recommendation,
    SafetyTrend,
    is_severe,
    recommendations,
    safety_trend,
)
from query_service.queries.visible_children import Unopened, VisibleChild, VisibleChildren
from query_service.query_bus import Answer, Query
from query_service.read_store.port import ReadModelDatabase
from query_service.scope import Scope
from shared.codec import SealedField
from shared.events.child import Outcome, Severity
from shared.read_models.deliveries import DeliveryState
from shared.read_models.documents import SafetyStatus, ViolationEntry


@dataclass(frozen=True, slots=True)
class GetChildSafetyReport(Query):
    """Violations reported from `since` (included) to `until` (excluded); None: no limit."""

    child_id: str
    since: datetime | None = None
    until: datetime | None = None

    def includes(self, moment: datetime) -> bool:
        return (self.since is None or self.since <= moment) and (
            self.until is None or moment < self.until
        )


class ReportedViolation(AnswerModel):
    violation_id: str
    type: str = Field(description="Its category, as the report named it.")
    severity: Severity
    at: Instant
    conversation_id: str | None
    details: str | None
    resolved: bool
    resolved_at: Instant | None
    outcome: Outcome | None
    acknowledged_at: Instant | None = Field(description="When the parent had seen it.")


class SafetyReport(AnswerModel):
    """Counts, categories, recommendations and the list are of the violations in the period; score,
    status, trend, flagged content and notifications are the child's today."""

    model_config = ConfigDict(validate_by_name=True)

    child_id: str
    version: int
    stale_since: StaleSince
    since: Instant | None = Field(
        alias="from", description="Beginning of the period, included; null: of all times."
    )
    until: Instant | None = Field(
        alias="to", description="End of the period, excluded; null: it has none."
    )
    safety_score: float
    safety_status: SafetyStatus
    safety_trend: SafetyTrend
    flagged_content_count: int
    parent_notifications_sent: int = Field(description="Delivered: each alert by each channel.")
    parent_notifications_pending: int = Field(description="Not delivered yet, and tried again.")
    parent_notifications_failed: int = Field(description="Given up after three days.")
    total_violations: int
    open_violations: int
    high_severity_violations: int = Field(description="High and critical ones.")
    violations_by_severity: dict[Severity, int]
    violations_by_category: dict[str, int]
    last_violation_at: Instant | None
    recommendations: list[Recommendation]
    violations: list[ReportedViolation] = Field(description="The newest first.")
    unreadable: list[str] = Field(
        description="Ids of the listed violations whose details do not open: `details` is null "
        "there, and an operator's matter."
    )


@dataclass(frozen=True, slots=True)
class Notifications:
    """How many alerts, times channels, were delivered, wait, and were given up."""

    delivered: int
    pending: int
    failed: int


class GetChildSafetyReportHandler:
    def __init__(self, store: ReadModelDatabase, children: VisibleChildren, ttl: float) -> None:
        self._store = store
        self._children = children
        self.ttl = ttl

    def cache_key(self, query: GetChildSafetyReport) -> Hashable:
        return query

    def tags(self, query: GetChildSafetyReport) -> frozenset[Tag]:
        return frozenset({child_tag(query.child_id)})

    async def handle(self, query: GetChildSafetyReport, scope: Scope) -> Answer:
        if query.since and query.until and query.since >= query.until:
            raise RequestRefused("to", "must be later than `from`", "> from")
        child = await self._children.find(query.child_id, scope)
        safety = await self._store.safety(query.child_id)
        ever = safety["violations"] if safety else []
        notifications = await self._notifications(query.child_id)
        report = _report(query, child, ever, notifications)
        return Answer(report, (child.id,), child.document["version"])

    async def _notifications(self, child_id: str) -> Notifications:
        """Delivered ones stand in the alerts, also those from before deliveries were kept."""
        alerts = await self._store.alerts_about(child_id)
        states = await self._store.deliveries_about(child_id)
        return Notifications(
            sum(len(alert["delivered"]) for alert in alerts),
            states.get(DeliveryState.PENDING, 0),
            states.get(DeliveryState.FAILED, 0),
        )


def _report(
    query: GetChildSafetyReport,
    child: VisibleChild,
    ever: Sequence[ViolationEntry],
    notifications: Notifications,
) -> SafetyReport:
    document, unopened = child.document, Unopened()
    period = sorted((v for v in ever if query.includes(v["at"])), key=_newest_first)
    flagged = document["flagged_content_count"]
    by_severity = Counter(violation["severity"] for violation in period)
    return SafetyReport(
        child_id=document["_id"],
        version=document["version"],
        stale_since=child.stale_since,
        since=query.since,
        until=query.until,
        safety_score=document["safety_score"],
        safety_status=child.safety_status,
        safety_trend=safety_trend(ever, document["updated_at"]),
        flagged_content_count=flagged,
        parent_notifications_sent=notifications.delivered,
        parent_notifications_pending=notifications.pending,
        parent_notifications_failed=notifications.failed,
        total_violations=len(period),
        open_violations=sum(1 for violation in period if violation["resolved_at"] is None),
        high_severity_violations=sum(1 for v in period if is_severe(v["severity"])),
        violations_by_severity={severity: by_severity[severity] for severity in Severity},
        violations_by_category=dict(Counter(violation["type"] for violation in period)),
        last_violation_at=period[0]["at"] if period else None,
        recommendations=recommendations(period, flagged > 0 and not ever, child.stale_since),
        violations=[_reported(child, violation, unopened) for violation in period],
        unreadable=unopened.places,
    )


def _newest_first(violation: ViolationEntry) -> tuple[float, str]:
    return -violation["at"].timestamp(), violation["id"]


def _reported(
    child: VisibleChild, violation: ViolationEntry, unopened: Unopened
) -> ReportedViolation:
    return ReportedViolation(
        violation_id=violation["id"],
        type=violation["type"],
        severity=Severity(violation["severity"]),
        at=violation["at"],
        conversation_id=violation["conversation_id"],
        details=unopened.open(
            child, violation["details"], SealedField("details", violation["id"]), violation["id"]
        ),
        resolved=violation["resolved_at"] is not None,
        resolved_at=violation["resolved_at"],
        outcome=Outcome(violation["outcome"]) if violation["outcome"] else None,
        acknowledged_at=violation.get("acknowledged_at"),
    )
