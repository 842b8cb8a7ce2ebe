"""The one place where time and randomness enter; injected by composition roots."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present time: aware, UTC, cut to milliseconds (what MongoDB keeps)."""

NewId = Callable[[], str]
"""Gives a fresh random id (UUID text)."""


def utc_now() -> datetime:
    milliseconds = time.time_ns() // 1_000_000
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


def new_id() -> str:
    """A UUID of version 4 (RFC 9562, section 5.4), made without an object for it: each request has
    one at least."""
    try:
        digits = _digits.pop()
    except IndexError:
        digits = _more_digits()
    variant = "89ab"[int(digits[16], 16) & 0b11]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


IDS_AT_ONCE = 256

_digits: list[str] = []
"""Random ones of ids to come: asking the system for 16 bytes takes longer than making an id."""

os.register_at_fork(after_in_child=_digits.clear)  # two processes must not share any


def _more_digits() -> str:
    """Those of one id; those of others are kept."""
    digits = os.urandom(16 * IDS_AT_ONCE).hex()
    _digits.extend(digits[at : at + 32] for at in range(32, len(digits), 32))
    return digits[:32]


def unix_seconds() -> float:
    return time.time()  # noqa: TID251 - the composition roots' clock


def iso(moment: datetime) -> str:
    """RFC 3339 text in UTC with milliseconds, e.g. `2026-11-23T06:00:00.000Z`."""
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{in_utc.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"


def parse_iso(text: str) -> datetime:
    """In UTC. Raises ValueError, also for what lies outside of the years 1 to 9999 there."""
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment is out of range") from error
