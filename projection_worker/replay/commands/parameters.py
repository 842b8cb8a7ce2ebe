"""Parameters that several commands take, read and checked."""

import difflib
import math
from datetime import datetime
from typing import Any

import click

from shared.command_line import Moment
from shared.events.child import SCHEMA_VERSIONS

EVENT_TYPES = tuple(sorted(event.__name__ for event in SCHEMA_VERSIONS))


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


def require_order(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--from lies behind --to: nothing can be between them")


child_option = click.option("--child", "child_id", help="Only this child.")
from_option = click.option("--from", "since", type=Moment(), help="Recorded then or later.")
rate_option = click.option("--rate", type=Amount(0, min_open=True), help="Most events a second.")
to_option = click.option("--to", "until", type=Moment(), help="Recorded before then.")
