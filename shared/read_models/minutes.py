"""How long a conversation lasted, and on which UTC days. Minutes are not rounded here: answers
round the sums, so that a thousand short conversations count as their minutes."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

ONE_DAY = timedelta(days=1)
SECONDS_A_MINUTE = 60


def over_at(start: datetime, end: datetime, limit: timedelta) -> datetime:
    """When a conversation was over that was ended at `end`: `limit` after its start at the
    latest."""
    # the other way round `start + limit` could lie behind the last year that there is
    return start + limit if end - start > limit else end


def minutes_between(start: datetime, end: datetime) -> float:
    """A clock that went back counts as none."""
    return max(0.0, (end - start).total_seconds() / SECONDS_A_MINUTE)


def minutes_by_day(start: datetime, end: datetime, limit: timedelta) -> Mapping[str, float]:
    """The minutes of a conversation by UTC day (ISO), of those days alone that have some."""
    here, over = start.astimezone(UTC), over_at(start, end, limit).astimezone(UTC)
    by_day: dict[str, float] = {}
    while here < over:
        until = over if here.date() == over.date() else _midnight_after(here)
        by_day[here.date().isoformat()] = minutes_between(here, until)
        here = until
    return by_day


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(moment.date() + ONE_DAY, time(), UTC)
