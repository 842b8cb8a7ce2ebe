"""GetChildAnalytics: how a child used the bear over the last days."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import Field

from query_service.cache.query_cache import Tag, child_tag
from query_service.queries.answers import AnswerModel, StaleSince, average
from query_service.queries.visible_children import VisibleChild, VisibleChildren
from query_service.query_bus import Answer, Query
from query_service.read_store.port import ReadModelDatabase
from query_service.scope import Scope
from shared.clock import Clock
from shared.read_models.documents import ActivityDocument, EngagementLevel

TOP_TOPICS = 10


@dataclass(frozen=True, slots=True)
class GetChildAnalytics(Query):
    """The last `period_days` UTC days, today included."""

    child_id: str
    period_days: int = 30


class Day(AnswerModel):
    day: date
    conversations: int = 0
    messages: int = 0
    minutes: float = 0.0
    flagged: int = 0
    violations: int = 0


class ActivityTotals(AnswerModel):
    active_days: int = Field(description="Days on which the child talked with the bear.")
    conversations: int
    messages: int
    minutes: float
    flagged: int
    violations: int


class ActivityAverages(AnswerModel):
    """0 where there is nothing to divide by."""

    messages_per_conversation: float
    minutes_per_conversation: float
    conversations_per_day: float = Field(description="Over every day of the period.")
    minutes_per_active_day: float


class TopicCount(AnswerModel):
    topic: str
    count: int


class ChildAnalytics(AnswerModel):
    child_id: str
    version: int
    stale_since: StaleSince
    period_days: int
    first_day: date
    last_day: date
    totals: ActivityTotals
    averages: ActivityAverages
    engagement_level: EngagementLevel = Field(description="By all conversations ever.")
    learning_metrics: dict[str, int] = Field(description="Ever; skill to count.")
    topics: list[TopicCount] = Field(description=f"The {TOP_TOPICS} most frequent.")
    days: list[Day] = Field(description="Every day of the period in order, also the quiet ones.")


class GetChildAnalyticsHandler:
    def __init__(
        self, store: ReadModelDatabase, children: VisibleChildren, clock: Clock, ttl: float
    ) -> None:
        self._store = store
        self._children = children
        self._clock = clock
        self.ttl = ttl

    def cache_key(self, query: GetChildAnalytics) -> Hashable:
        # at midnight the period moves on, whatever life the answer has left
        return query, self._today()

    def tags(self, query: GetChildAnalytics) -> frozenset[Tag]:
        return frozenset({child_tag(query.child_id)})

    async def handle(self, query: GetChildAnalytics, scope: Scope) -> Answer:
        child = await self._children.find(query.child_id, scope)
        last = self._today()
        days = [last - timedelta(days=ago) for ago in reversed(range(query.period_days))]
        activity = await self._store.activity(query.child_id, days[0].isoformat(), last.isoformat())
        analytics = _analytics(child, days, activity)
        return Answer(analytics, (child.id,), child.document["version"])

    def _today(self) -> date:
        return self._clock().date()


def _analytics(
    child: VisibleChild, days: Sequence[date], activity: Sequence[ActivityDocument]
) -> ChildAnalytics:
    document = child.document
    totals = _totals(activity)
    by_day = {document["day"]: document for document in activity}
    return ChildAnalytics(
        child_id=document["_id"],
        version=document["version"],
        stale_since=child.stale_since,
        period_days=len(days),
        first_day=days[0],
        last_day=days[-1],
        totals=totals,
        averages=ActivityAverages(
            messages_per_conversation=average(totals.messages, totals.conversations),
            minutes_per_conversation=average(totals.minutes, totals.conversations),
            conversations_per_day=average(totals.conversations, len(days)),
            minutes_per_active_day=average(totals.minutes, totals.active_days),
        ),
        engagement_level=EngagementLevel(document["engagement_level"]),
        learning_metrics=document["learning_metrics"],
        topics=_top_topics(activity),
        days=[_day(day, by_day) for day in days],
    )


def _totals(activity: Sequence[ActivityDocument]) -> ActivityTotals:
    return ActivityTotals(
        active_days=sum(1 for day in activity if day["conversations"] or day["messages"]),
        conversations=sum(day["conversations"] for day in activity),
        messages=sum(day["messages"] for day in activity),
        minutes=round(sum(day["minutes"] for day in activity), 1),
        flagged=sum(day["flagged"] for day in activity),
        violations=sum(day["violations"] for day in activity),
    )


def _top_topics(activity: Sequence[ActivityDocument]) -> list[TopicCount]:
    counts: Counter[str] = Counter()
    for day in activity:
        counts.update(day["topics"])
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [TopicCount(topic=topic, count=count) for topic, count in ranked[:TOP_TOPICS]]


def _day(day: date, by_day: Mapping[str, ActivityDocument]) -> Day:
    document = by_day.get(day.isoformat())
    return Day(day=day) if document is None else Day.model_validate(document)
