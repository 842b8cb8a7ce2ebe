"""GetSystemAnalytics: numbers of the whole system, of no one in particular."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from pydantic import Field

from query_service.cache.entries import EVERYTHING, Tag
from query_service.queries.answers import AnswerModel, average
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Scope
from query_service.read_store.port import ReadModelDatabase
from shared.read_models.documents import ChildStatus, EngagementLevel, SafetyStatus


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


@dataclass(frozen=True, slots=True)
class GetSystemAnalyticsHandler:
    store: ReadModelDatabase
    ttl: float

    def cache_key(self, query: GetSystemAnalytics) -> Hashable:
        return query

    def tags(self, _query: GetSystemAnalytics) -> frozenset[Tag]:
        return frozenset({EVERYTHING})

    async def handle(self, _query: GetSystemAnalytics, _scope: Scope) -> Answer:
        return Answer(_analytics(Counter(await self.store.system_counters())), children=())


def _analytics(count: Counter[str]) -> SystemAnalytics:
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
    )
