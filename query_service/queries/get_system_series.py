"""GetSystemSeries: what happened in the whole system, day by day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant, Minutes
from query_service.queries.get_child_series import days_of
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Scope
from query_service.sql.daily import DailySeries
from shared.clock import Clock
from shared.events.child import Severity


@dataclass(frozen=True, slots=True)
class GetSystemSeries(Query):
    """The UTC days from `first` to `last`, both included. None: the thirtieth day up to the last
    one, and today."""

    first: date | None = None
    last: date | None = None


class SystemDay(AnswerModel):
    day: date
    registrations: int = Field(description="Of children who were not erased since.")
    active_children: int = Field(description="Children of whom anything happened on this day.")
    conversations: int = Field(description="Conversations that began on this day.")
    messages: int
    minutes: Minutes = Field(description="Length of the conversations that ended on this day.")
    violations_by_severity: dict[Severity, int] = Field(
        description="Those that happened on this day, resolved or not."
    )
    resolved_violations: int = Field(description="Those that were resolved on this day.")
    hours_to_resolution: float | None = Field(
        description="Of these, from when they happened until they were resolved, the median; "
        "null: none was."
    )


class SystemSeries(AnswerModel):
    """Erased children are in no day."""

    as_of: Instant | None = Field(
        description="Everything stored until then is included; null: unknown."
    )
    first_day: date
    last_day: date = Field(description="Its last UTC day.")
    days: list[SystemDay] = Field(
        description="Every UTC day of the period in order, also days without anything. Of days "
        "beyond the retention period only registrations and violations are known."
    )


@dataclass(frozen=True, slots=True)
class GetSystemSeriesHandler:
    series: DailySeries
    clock: Clock

    async def handle(self, query: GetSystemSeries, _scope: Scope) -> Answer:
        """Raises RequestRefused for a period that ends before it begins, or is too long; and what
        `DailySeries.known` raises."""
        days = days_of(query.first, query.last, self.clock().date())
        known = await self.series.known()
        content = SystemSeries(
            as_of=known.as_of,
            first_day=days[0],
            last_day=days[-1],
            days=[_shown(day, known.days.get(day, {})) for day in days],
        )
        return Answer(content, children=(), from_snapshot=True, as_of=known.as_of)


def _shown(day: date, found: Mapping[str, Any]) -> SystemDay:
    def count(name: str) -> Any:
        return found.get(name) or 0

    return SystemDay(
        day=day,
        registrations=count("registrations"),
        active_children=count("active_children"),
        conversations=count("conversations"),
        messages=count("messages"),
        minutes=count("minutes"),
        violations_by_severity={one: count(one) for one in Severity},
        resolved_violations=count("resolved_violations"),
        hours_to_resolution=found.get("hours_to_resolution"),
    )
