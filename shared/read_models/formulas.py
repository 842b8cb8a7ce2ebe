"""Numbers that the worker stores and queries compute alike."""

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


PENALTY_POINTS = {"low": 5.0, "medium": 10.0, "high": 20.0, "critical": 40.0}

_WEIGHT_OF_OUTCOME = {None: 1.0, "confirmed": 0.5, "false_positive": 0.0}


def penalty(severity: str, outcome: str | None) -> float:
    """Points of one violation: in full while open, half once confirmed, none when false."""
    return PENALTY_POINTS[severity] * _WEIGHT_OF_OUTCOME[outcome]


def conversation_engagement(messages: int, minutes: float) -> float:
    """0.0 to 100.0: 5 a message and 2 a minute."""
    return round(min(100.0, 5 * messages + 2 * minutes), 1)
