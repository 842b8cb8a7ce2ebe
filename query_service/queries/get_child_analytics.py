"""GetChildAnalytics: how a child used the bear over the last days."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pydantic import Field

from query_service.queries.answers import TTL_WHILE_OPEN, AnswerModel, Minutes, StaleSince, average
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import (
    AboutOneChild,
    Scope,
    VisibleChild,
    VisibleChildren,
)
from query_service.read_store.port import ReadModelDatabase
from shared.clock import Clock
from shared.read_models.documents import ActivityDocument, EngagementLevel

TOP_TOPICS = 10

OF_OPEN_ONES_TOO = (
    "Duration of the conversations, on the days that they cover. An open one counts until "
    "this was read, up to the longest allowed duration."
)


@dataclass(frozen=True, slots=True)
class GetChildAnalytics(Query):
    """The last `period_days` UTC days, today included."""

    child_id: str
    period_days: int = 30


class Day(AnswerModel):
    day: date
    conversations: int = 0
    messages: int = 0
    minutes: Minutes = Field(0.0, description=OF_OPEN_ONES_TOO)
    flagged: int = 0
    violations: int = 0


class ActivityTotals(AnswerModel):
    active_days: int = Field(description="Days with a conversation.")
    conversations: int
    messages: int
    minutes: Minutes = Field(description=OF_OPEN_ONES_TOO)
    flagged: int
    violations: int


class ActivityAverages(AnswerModel):
    """0 where there is nothing to divide by."""

    messages_per_conversation: float
    minutes_per_conversation: float
    conversations_per_day: float = Field(description="Average over all days of the period.")
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
    engagement_level: EngagementLevel = Field(description="By all conversations.")
    learning_metrics: dict[str, int] = Field(description="Skill to count, over the whole history.")
    topics: list[TopicCount] = Field(description=f"The {TOP_TOPICS} most frequent.")
    days: list[Day] = Field(
        description="Every day of the period in order, also days without activity."
    )


@dataclass(frozen=True, slots=True)
class _Day:
    """What was projected of a day, if anything was; and how long conversations lasted on it that
    nobody ended."""

    day: date
    document: ActivityDocument | None
    open_minutes: float

    @property
    def minutes(self) -> float:
        return (self.document["minutes"] if self.document else 0.0) + self.open_minutes

    @property
    def is_active(self) -> bool:
        talked = self.document and (self.document["conversations"] or self.document["messages"])
        return bool(talked) or self.minutes > 0

    def shown(self) -> Day:
        return Day.model_validate(
            {**(self.document or {}), "day": self.day, "minutes": self.minutes}
        )


@dataclass(frozen=True, slots=True)
class GetChildAnalyticsHandler(AboutOneChild):
    store: ReadModelDatabase
    children: VisibleChildren
    clock: Clock
    ttl: float

    def cache_key(self, query: Hashable) -> Hashable:
        # at midnight the period moves on, whatever life the answer has left
        return query, self._today()

    async def handle(self, query: GetChildAnalytics, scope: Scope) -> Answer:
        child = await self.children.find(query.child_id, scope)
        last = self._today()
        first = last - timedelta(days=query.period_days - 1)
        activity = await self.store.activity(query.child_id, first.isoformat(), last.isoformat())
        open_minutes = await self.store.open_minutes(
            query.child_id, datetime.combine(first, time(), UTC), self.clock()
        )
        # every day of the period, also the quiet ones
        by_day = {document["day"]: document for document in activity}
        period = (first + timedelta(days=after) for after in range(query.period_days))
        days = [
            _Day(day, by_day.get(day.isoformat()), open_minutes.get(day.isoformat(), 0.0))
            for day in period
        ]
        analytics = _analytics(child, days, activity)
        ttl = TTL_WHILE_OPEN if open_minutes else self.ttl
        return Answer(analytics, (child.id,), analytics.version, ttl=ttl)

    def _today(self) -> date:
        return self.clock().date()


def _analytics(
    child: VisibleChild, days: Sequence[_Day], activity: Sequence[ActivityDocument]
) -> ChildAnalytics:
    document = child.document
    totals = _totals(days, activity)
    return ChildAnalytics(
        child_id=document["_id"],
        version=document["version"],
        stale_since=child.stale_since,
        period_days=len(days),
        first_day=days[0].day,
        last_day=days[-1].day,
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
        days=[day.shown() for day in days],
    )


def _totals(days: Sequence[_Day], activity: Sequence[ActivityDocument]) -> ActivityTotals:
    return ActivityTotals(
        active_days=sum(1 for day in days if day.is_active),
        conversations=sum(day["conversations"] for day in activity),
        messages=sum(day["messages"] for day in activity),
        minutes=sum(day.minutes for day in days),
        flagged=sum(day["flagged"] for day in activity),
        violations=sum(day["violations"] for day in activity),
    )


def _top_topics(activity: Sequence[ActivityDocument]) -> list[TopicCount]:
    counts: Counter[str] = Counter()
    for day in activity:
        counts.update(day["topics"])
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [TopicCount(topic=topic, count=count) for topic, count in ranked[:TOP_TOPICS]]
