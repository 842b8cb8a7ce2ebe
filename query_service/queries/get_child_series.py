"""GetChildSeries: what happened to a child, day by day."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pydantic import Field

from query_service.queries.answers import TTL_WHILE_OPEN, AnswerModel, Minutes, StaleSince
from query_service.queries.get_child_analytics import OF_OPEN_ONES_TOO
from query_service.queries.query import Answer, Query, RequestRefused
from query_service.queries.visible_children import AboutOneChild, Scope, VisibleChildren
from query_service.read_store.port import Period, ReadModelDatabase
from shared.clock import Clock
from shared.events.child import Severity
from shared.read_models.documents import ActivityDocument

MOST_DAYS = 366
USUAL_DAYS = 30
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GetChildSeries(Query):
    """The UTC days from `first` to `last`, both included. None: the thirtieth day up to the last
    one, and today."""

    child_id: str
    first: date | None = None
    last: date | None = None


class SeriesDay(AnswerModel):
    day: date
    conversations: int = Field(description="Conversations that began on this day.")
    messages: int
    minutes: Minutes = Field(description=OF_OPEN_ONES_TOO)
    violations_by_severity: dict[Severity, int] = Field(
        description="Reported on this day, resolved or not."
    )


class ChildSeries(AnswerModel):
    child_id: str
    version: int
    stale_since: StaleSince
    first_day: date
    last_day: date
    days: list[SeriesDay] = Field(
        description="Every UTC day of the period in order, also days without activity. Of days "
        "beyond the retention period only violations are known."
    )


@dataclass(frozen=True, slots=True)
class GetChildSeriesHandler(AboutOneChild):
    store: ReadModelDatabase
    children: VisibleChildren
    clock: Clock
    ttl: float

    def cache_key(self, query: Hashable) -> Hashable:
        # at midnight the default period moves on, whatever life the answer has left
        return query, self.clock().date()

    async def handle(self, query: GetChildSeries, scope: Scope) -> Answer:
        """Raises RequestRefused for a period that ends before it begins, or is too long."""
        days = days_of(query.first, query.last, self.clock().date())
        child = await self.children.find(query.child_id, scope)
        first, last = days[0].isoformat(), days[-1].isoformat()
        activity = await self.store.activity(child.id, first, last)
        since, until = _midnight(days[0]), _midnight(days[-1]) + A_DAY
        open_minutes = await self.store.open_minutes(child.id, since, self.clock())
        violations = await self.store.violations_of(child.id)
        reported = await violations.by_day(Period(since, until))
        by_day = {document["day"]: document for document in activity}
        series = ChildSeries(
            child_id=child.id,
            version=child.document["version"],
            stale_since=child.stale_since,
            first_day=days[0],
            last_day=days[-1],
            days=[
                _shown(
                    day,
                    by_day.get(day.isoformat()),
                    open_minutes.get(day.isoformat(), 0.0),
                    reported.get(day.isoformat(), {}),
                )
                for day in days
            ],
        )
        ttl = TTL_WHILE_OPEN if open_minutes else self.ttl
        return Answer(series, (child.id,), series.version, ttl=ttl)


def days_of(first: date | None, last: date | None, today: date) -> list[date]:
    """Raises RequestRefused."""
    last = last or today
    first = first or last - (USUAL_DAYS - 1) * A_DAY
    if first > last:
        raise RequestRefused("to", "must not be earlier than `from`", ">= from")
    number = (last - first).days + 1
    if number > MOST_DAYS:
        limit = f"1..{MOST_DAYS} days"
        raise RequestRefused("to", f"must end a period of at most {MOST_DAYS} days", limit)
    return [first + after * A_DAY for after in range(number)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _shown(
    day: date,
    activity: ActivityDocument | None,
    open_minutes: float,
    reported: Mapping[str, int],
) -> SeriesDay:
    return SeriesDay(
        day=day,
        conversations=activity["conversations"] if activity else 0,
        messages=activity["messages"] if activity else 0,
        minutes=(activity["minutes"] if activity else 0.0) + open_minutes,
        violations_by_severity={one: reported.get(one, 0) for one in Severity},
    )
