"""Query parameters, refused when unknown or out of limits."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from query_service.api.bounds import Between, Characters
from query_service.api.instants import Beginning, End
from query_service.queries.search_children import SearchChildren, VisibleStatus
from shared.read_models.documents import EngagementLevel, SafetyStatus

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
    limit: Annotated[int, Between(1, MOST_ITEMS)] = Field(20, description="Most items on the page.")
    cursor: Annotated[str, Characters(0, CURSOR_LENGTH)] | None = Field(
        None, description="`next_cursor` of the page before."
    )


class ChildPage(Parameters):
    """Of what there is of one child."""

    limit: Annotated[int, Between(1, MOST_OF_A_CHILD)] = Field(
        50, description="Most items on the page."
    )
    cursor: Annotated[str, Characters(0, CURSOR_LENGTH)] | None = Field(
        None, description="`next_cursor` of the page before."
    )


class PeriodPage(ChildPage):
    since: Beginning = Field(
        None,
        alias="from",
        description="Included: an RFC 3339 time with its zone, or a UTC day from its beginning.",
        examples=["2026-11-01"],
    )
    until: End = Field(
        None,
        alias="to",
        description="Excluded: an RFC 3339 time with its zone; or a UTC day, which is included to "
        "its end: `from=2026-11-01&to=2026-11-01` is one day.",
        examples=["2026-11-30"],
    )


class Days(Parameters):
    period_days: Annotated[int, Between(1, 365)] = Field(30, description="UTC days up to today.")


class Search(Page):
    name: Annotated[str, AfterValidator(_as_names_are), Characters(1, NAME_LENGTH)] | None = Field(
        None,
        description="The name, or the beginnings of its words: of 2 letters or more, in any order. "
        "Case, accents, apostrophes and hyphens make no difference; a letter by itself counts only "
        "where there is no longer word.",
        examples=["o'neil"],
    )
    age_min: Annotated[int, Between(0, 99)] | None = Field(None, description="Years, included.")
    age_max: Annotated[int, Between(0, 99)] | None = Field(None, description="Years, included.")
    parent_id: Annotated[str, Characters(1, 128)] | None = Field(
        None, description="Only this parent's children."
    )
    safety_status: SafetyStatus | None = Field(
        None, description="Only children whose safety is judged so today."
    )
    engagement_level: EngagementLevel | None = Field(
        None, description="Only children who use the bear so much."
    )
    status: VisibleStatus | None = Field(None, description="Only accounts of this status.")

    def to_query(self) -> SearchChildren:
        return SearchChildren(**self.model_dump())
