"""Query parameters, refused when unknown or out of limits."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from query_service.queries.exporter import CURSOR_LENGTH as EXPORT_CURSOR_LENGTH
from query_service.queries.search_children import SearchChildren, VisibleStatus
from shared.field_wording import refused
from shared.read_models.documents import EngagementLevel, SafetyStatus


@dataclass(frozen=True, slots=True)
class Within:
    """Of an integer, or of the number of characters of a text, both included:
    `Annotated[int, Within(1, 100)]`."""

    minimum: int
    maximum: int

    def __get_pydantic_core_schema__(self, kind: Any, inner: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, inner(kind))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, inner: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = inner(schema)
        if described["type"] == "string":
            return described | {"minLength": self.minimum, "maxLength": self.maximum}
        return described | {"minimum": self.minimum, "maximum": self.maximum}

    def checked(self, value: int | str) -> int | str:
        """Raises PydanticCustomError."""
        lowest, highest = self.minimum, self.maximum
        if isinstance(value, str):
            if not lowest <= len(value) <= highest:
                limit = f"{lowest}..{highest} characters"
                raise refused(f"must have {lowest} to {highest} characters", limit)
        elif not lowest <= value <= highest:
            raise refused(f"must be between {lowest} and {highest}", f"{lowest}..{highest}")
        return value


EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_FORMS = "an RFC 3339 time with a zone, or a UTC day"
_NO_MOMENT = (
    "must be a time with a zone, as 2026-11-23T12:00:00Z, or a UTC day, as 2026-11-23; in a "
    "URL, write + as %2B"
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


def _day(given: Any) -> date:
    text = str(given)
    if not _DAY.fullmatch(text):
        raise _NO_DAY
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _NO_DAY from None
    if not EARLIEST.date() <= day <= LATEST.date():
        raise _OUT_OF_RANGE
    return day


_NO_DAY = refused("must be a UTC day, as 2026-11-23", "YYYY-MM-DD")

UtcDay = Annotated[date, BeforeValidator(_day)]


MOST_ITEMS = 100
MOST_OF_A_CHILD = 200
"""Violations or conversations on a page."""

CURSOR_LENGTH = 512
NAME_LENGTH = 100
LONGER_THAN_ANY = 4
"""Times as many code points as a name's normal form at most has. Longer ones are refused as they
are: putting many marks on one letter into order takes the square of their number."""


def _as_names_are(text: str) -> str:
    """In the form in which names are registered, by which their length is counted."""
    if len(text) > LONGER_THAN_ANY * NAME_LENGTH:
        return text
    return unicodedata.normalize("NFKC", text).strip()


class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Page(Parameters):
    limit: Annotated[int, Within(1, MOST_ITEMS)] = Field(
        20, description="Maximum number of items on the page."
    )
    cursor: Annotated[str, Within(0, CURSOR_LENGTH)] | None = Field(
        None, description="`next_cursor` of the previous page."
    )


class ChildPage(Page):
    """Of what there is of one child."""

    limit: Annotated[int, Within(1, MOST_OF_A_CHILD)] = Field(
        50, description="Maximum number of items on the page."
    )


class PeriodPage(ChildPage):
    since: Beginning = Field(
        None,
        alias="from",
        description="Inclusive: an RFC 3339 time with a zone, or a UTC day from its beginning.",
        examples=["2026-11-01"],
    )
    until: End = Field(
        None,
        alias="to",
        description="Exclusive: an RFC 3339 time with a zone; or a UTC day, which is "
        "included to its end: `from=2026-11-01&to=2026-11-01` is one day.",
        examples=["2026-11-30"],
    )


class SeriesDays(Parameters):
    first: UtcDay | None = Field(
        None,
        alias="from",
        description="The first UTC day; without it the period has 30 days.",
        examples=["2026-11-01"],
    )
    last: UtcDay | None = Field(
        None,
        alias="to",
        description="The last UTC day, which is included; without it, today. The period has at "
        "most 366 days.",
        examples=["2026-11-30"],
    )


class Continued(Parameters):
    cursor: Annotated[str, Within(0, EXPORT_CURSOR_LENGTH)] | None = Field(
        None,
        description="The cursor of the last received `progress` line; the export "
        "continues after it.",
    )


class Days(Parameters):
    period_days: Annotated[int, Within(1, 365)] = Field(
        30, description="Number of UTC days, ending today."
    )


class Search(Page):
    name: Annotated[str, AfterValidator(_as_names_are), Within(1, NAME_LENGTH)] | None = Field(
        None,
        description="The name, or prefixes of its words with 2 letters or more, in any "
        "order. Case, accents, apostrophes and hyphens make no difference; a "
        "single letter counts only if there is no longer word.",
        examples=["o'neil"],
    )
    age_min: Annotated[int, Within(0, 99)] | None = Field(None, description="Years, inclusive.")
    age_max: Annotated[int, Within(0, 99)] | None = Field(None, description="Years, inclusive.")
    parent_id: Annotated[str, Within(1, 128)] | None = Field(
        None, description="Only this parent's children."
    )
    safety_status: SafetyStatus | None = Field(
        None, description="Only children with this safety status."
    )
    engagement_level: EngagementLevel | None = Field(
        None, description="Only children with this engagement level."
    )
    status: VisibleStatus | None = Field(None, description="Only accounts with this status.")
    violations: Literal["open"] | None = Field(
        None, description="Only children with unresolved violations."
    )

    def to_query(self) -> SearchChildren:
        return SearchChildren(**self.model_dump())
