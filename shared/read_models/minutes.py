"""How long a conversation lasted, and on which UTC days. Minutes are not rounded here: answers
round the sums, so that a thousand short conversations count as their minutes."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

ONE_DAY = timedelta(days=1)
SECONDS_A_MINUTE = 60


def over_at(start: datetime, end: datetime, limit: timedelta) -> datetime:
    """When a conversation that was ended at `end` was over: `limit` after its start at the latest,
    and never before its start, whatever a clock that went back says."""
    if end - start > limit:  # so that adding overflows nothing
        return start + limit
    return max(start, end)


def minutes_between(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / SECONDS_A_MINUTE


def minutes_by_day(start: datetime, end: datetime, limit: timedelta) -> Mapping[str, float]:
    """The minutes of a conversation by UTC day (ISO), of those days alone that have some."""
    here, over = start.astimezone(UTC), over_at(start, end, limit).astimezone(UTC)
    by_day: dict[str, float] = {}
    while here < over:
        day = here.date()
        midnight = over if day == over.date() else _midnight_after(here)
        by_day[day.isoformat()] = minutes_between(here, midnight)
        here = midnight
    return by_day


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(moment.date() + ONE_DAY, time(), UTC)
