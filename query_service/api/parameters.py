"""Query parameters, refused when unknown or out of limits."""

from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from query_service.queries.search_children import SearchChildren, VisibleStatus
from shared.read_models.documents import EngagementLevel, SafetyStatus

MOST_ITEMS = 100
CURSOR_LENGTH = 512
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Page(Parameters):
    limit: int = Field(20, ge=1, le=MOST_ITEMS, description="Most items on the page.")
    cursor: str | None = Field(
        None, max_length=CURSOR_LENGTH, description="`next_cursor` of the page before."
    )


class Period(Parameters):
    """Instants are RFC 3339 with an offset."""

    since: AwareDatetime | None = Field(
        None, alias="from", ge=EARLIEST, le=LATEST, description="Included."
    )
    until: AwareDatetime | None = Field(
        None, alias="to", ge=EARLIEST, le=LATEST, description="Excluded."
    )


class Days(Parameters):
    period_days: int = Field(30, ge=1, le=365, description="UTC days up to today.")


class Search(Page):
    name: str | None = Field(
        None, max_length=100, description="Words, of 2 letters or more, that the name's begin with."
    )
    age_min: int | None = Field(None, ge=0, le=99)
    age_max: int | None = Field(None, ge=0, le=99)
    parent_id: str | None = Field(None, min_length=1, max_length=128)
    safety_status: SafetyStatus | None = None
    engagement_level: EngagementLevel | None = None
    status: VisibleStatus | None = None

    def to_query(self) -> SearchChildren:
        return SearchChildren(**self.model_dump())
