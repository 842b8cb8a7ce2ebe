"""Moments in query parameters: an instant, or a UTC day."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from shared.field_wording import refused

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_FORMS = "an RFC 3339 time with its zone, or a UTC day"
_NO_MOMENT = (
    "must be a time with its zone, as 2026-11-23T12:00:00Z, or a UTC day, as 2026-11-23; "
    "in a URL, + is written %2B"
)
_OUT_OF_RANGE = refused(
    f"must lie between {EARLIEST.date()} and {LATEST.date()}", f"{EARLIEST.date()}..{LATEST.date()}"
)
_SCHEMA = WithJsonSchema({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]})


def _moment(*, of_a_day: timedelta) -> Callable[[Any], datetime]:
    """`of_a_day`: how long after its beginning a whole day stands for."""

    def read(given: Any) -> datetime:
        text = str(given)
        try:
            moment = _read(text)
        except ValueError:
            raise refused(_NO_MOMENT, _FORMS) from None
        except OverflowError:  # at either end of the calendar
            raise _OUT_OF_RANGE from None
        if not EARLIEST <= moment <= LATEST:
            raise _OUT_OF_RANGE
        return moment + of_a_day if _DAY.fullmatch(text) else moment

    return read


def _read(text: str) -> datetime:
    """Raises ValueError or OverflowError."""
    if _DAY.fullmatch(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    if not _INSTANT.fullmatch(text):
        raise ValueError
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


Beginning = Annotated[datetime | None, BeforeValidator(_moment(of_a_day=timedelta())), _SCHEMA]
"""From then on; a day stands for its first moment."""

End = Annotated[datetime | None, BeforeValidator(_moment(of_a_day=A_DAY)), _SCHEMA]
"""Until then; a day stands for the first moment of the next one, so that it is included."""
