"""GetSystemAnalytics: numbers of the whole system, of no one in particular."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from pydantic import Field

from query_service.cache.entries import EVERYTHING, Tag
from query_service.queries.answers import AnswerModel, Instant, average
from query_service.queries.figures import (
    NOT_COUNTED,
    DayFigures,
    NotificationFigures,
    ResolutionFigures,
    days_of,
    notifications_of,
    open_by_severity,
    resolutions_of,
)
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Scope
from query_service.read_store.port import ReadModelDatabase
from query_service.read_store.recent_figures import Reading, RecentFigures
from shared.clock import Clock
from shared.events.child import AlertChannel, Severity
from shared.read_models.deliveries import DeliveryState
from shared.read_models.documents import ChildStatus, EngagementLevel, SafetyStatus

TTL_WHILE_PENDING = 60.0
"""Seconds that an answer is kept at most which counts a notification under way."""

TTL_WHILE_INCOMPLETE = 30.0
"""As long, where something could not be counted."""

UNKNOWN = "null: not counted in time, or the read models are those of projections before 7."


@dataclass(frozen=True, slots=True)
class GetSystemAnalytics(Query):
    pass


class SystemTotals(AnswerModel):
    """Of active and deactivated children."""

    conversations: int
    messages: int
    violations: int
    open_violations: int
    flagged: int


class SystemAverages(AnswerModel):
    """0 where there is nothing to divide by."""

    conversations_per_child: float
    messages_per_conversation: float
    violations_per_child: float


class SystemAnalytics(AnswerModel):
    children: dict[ChildStatus, int]
    totals: SystemTotals
    averages: SystemAverages
    safety_distribution: dict[SafetyStatus, int] = Field(description="Of active children.")
    engagement_distribution: dict[EngagementLevel, int] = Field(description="Of active children.")
    figures_at: Instant = Field(
        description="When everything below was counted, at most 30 s before this was read; all "
        "other numbers are newer. A cached answer is older by its `Age`."
    )
    days: list[DayFigures] = Field(description="Yesterday and today, in UTC.")
    open_violations_by_severity: dict[Severity, int] | None = Field(
        description=f"Severity to number of unresolved violations; {UNKNOWN}"
    )
    resolutions_by_severity: dict[Severity, ResolutionFigures] | None = Field(
        description=f"Of violations resolved in the last 30 days; {UNKNOWN}"
    )
    notifications: dict[AlertChannel, NotificationFigures] | None = Field(
        description="Channel to what became of the notifications about violations of the last 30 "
        f"days; {NOT_COUNTED}"
    )


@dataclass(frozen=True, slots=True)
class GetSystemAnalyticsHandler:
    store: ReadModelDatabase
    figures: RecentFigures
    clock: Clock
    ttl: float

    def cache_key(self, query: GetSystemAnalytics) -> Hashable:
        # at midnight today is another day, whatever life the answer has left
        return query, self.clock().date()

    def tags(self, _query: GetSystemAnalytics) -> frozenset[Tag]:
        return frozenset({EVERYTHING})

    async def handle(self, _query: GetSystemAnalytics, _scope: Scope) -> Answer:
        asked_at, earlier = self.clock(), self.figures.last
        reading = await self.figures.recent()
        content = _analytics(Counter(await self.store.system_counters()), reading)
        ttl = self.ttl
        if reading is earlier or reading.at < asked_at:
            # it may miss a change of which no notice will come any more
            ttl = min(ttl, self.figures.recent_for())
        if any(state == DeliveryState.PENDING for _, state in reading.figures.deliveries or ()):
            # what becomes of a notification drops no answer
            ttl = min(ttl, TTL_WHILE_PENDING)
        if not reading.figures.is_whole:
            ttl = min(ttl, TTL_WHILE_INCOMPLETE)
        return Answer(content, children=(), ttl=ttl, from_snapshot=True, as_of=reading.through)


def _analytics(count: Counter[str], reading: Reading) -> SystemAnalytics:
    figures = reading.figures
    children = {status: count[f"children_{status}"] for status in ChildStatus}
    accounts = children[ChildStatus.ACTIVE] + children[ChildStatus.DEACTIVATED]
    totals = SystemTotals(
        conversations=count["conversations"],
        messages=count["messages"],
        violations=count["violations"],
        open_violations=count["open_violations"],
        flagged=count["flagged"],
    )
    return SystemAnalytics(
        children=children,
        totals=totals,
        averages=SystemAverages(
            conversations_per_child=average(totals.conversations, accounts),
            messages_per_conversation=average(totals.messages, totals.conversations),
            violations_per_child=average(totals.violations, accounts),
        ),
        safety_distribution={status: count[f"safety_{status}"] for status in SafetyStatus},
        engagement_distribution={level: count[f"engagement_{level}"] for level in EngagementLevel},
        figures_at=reading.at,
        days=days_of(figures, reading.at),
        open_violations_by_severity=open_by_severity(figures),
        resolutions_by_severity=resolutions_of(figures),
        notifications=notifications_of(figures),
    )
