"""The one place where time and randomness enter; injected by composition roots."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present time: aware, UTC, cut to milliseconds (what MongoDB keeps)."""

NewId = Callable[[], str]
"""Gives a fresh random id (UUID text)."""


def utc_now() -> datetime:
    now = datetime.now(UTC)  # noqa: TID251 - the composition roots' clock
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def new_id() -> str:
    return str(uuid.uuid4())  # noqa: TID251 - the composition roots' id source


def unix_seconds() -> float:
    return time.time()  # noqa: TID251 - the composition roots' clock


def iso(moment: datetime) -> str:
    """RFC 3339 text in UTC with milliseconds, e.g. `2026-11-23T06:00:00.000Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """In UTC. Raises ValueError, also for what lies outside of the years 1 to 9999 there."""
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment is out of range") from error
