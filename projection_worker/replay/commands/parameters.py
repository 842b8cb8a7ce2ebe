"""Parameters that several commands take, read and checked."""

import difflib
import math
from datetime import UTC, datetime
from typing import Any

import click

from shared.events.child import SCHEMA_VERSIONS

EVENT_TYPES = tuple(sorted(event.__name__ for event in SCHEMA_VERSIONS))


class Moment(click.ParamType):
    """An ISO 8601 time with its zone, or a date (its beginning in UTC)."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        moment = moment_of(value)
        if moment is None:
            self.fail(
                f"{value!r} is no time; give e.g. 2026-11-23T12:00:00Z or 2026-11-23", param, ctx
            )
        return moment


class Amount(click.FloatRange):
    """A number, which "nan" and "inf" are not."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class EventType(click.ParamType):
    name = "event type"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in EVENT_TYPES:
            close = difflib.get_close_matches(value, EVENT_TYPES, n=1, cutoff=0.4)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(EVENT_TYPES)}"
            self.fail(f"{value!r} is no event type; {meant}", param, ctx)
        return str(value)


def moment_of(text: str) -> datetime | None:
    """None for what is no time, or a time of day without its zone."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC) if len(text) == len("2026-11-23") else None
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter at either end of the calendar
        return None


def require_order(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--from lies behind --to: nothing can be between them")


child_option = click.option("--child", "child_id", help="Only this child.")
from_option = click.option("--from", "since", type=Moment(), help="Recorded then or later.")
rate_option = click.option("--rate", type=Amount(0, min_open=True), help="Most events a second.")
to_option = click.option("--to", "until", type=Moment(), help="Recorded before then.")
