"""`teddy replay events`."""

from datetime import datetime

import click
import orjson

from projection_worker.replay.commands.parameters import (
    EventType,
    child_option,
    from_option,
    require_order,
    to_option,
)
from projection_worker.replay.commands.running import run
from projection_worker.replay.opened import Opened
from projection_worker.replay.progress import Lines
from projection_worker.replay.selection import Selection, events_of_child
from shared.clock import iso
from shared.cloud_events import to_structured
from shared.envelope import RecordedEvent
from shared.tables import Table

ROWS_A_TABLE = 500


@click.command()
@child_option
@from_option
@to_option
@click.option(
    "--type", "types", type=EventType(), multiple=True, help="Only this type; may be repeated."
)
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="json: one CloudEvent a line.",
)
def events(
    child_id: str | None,
    since: datetime | None,
    until: datetime | None,
    types: tuple[str, ...],
    limit: int | None,
    form: str,
) -> None:
    """Print events of the store, by child and version. Personal fields stay sealed."""
    require_order(since, until)
    selection = Selection(child_id, since, until, frozenset(types))

    async def work(on: Opened) -> None:
        total = None if child_id is None else await events_of_child(on.store, child_id)
        rows, read = _Rows(form), _Read(total)
        async for event in selection.events(on.store, read.more):
            rows.add(event)
            if rows.number == limit:
                break
        rows.close()

    run(work)


class _Read:
    """Tells on standard error how the reading gets on, where it takes long: what is chosen may be
    far between."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._done = 0
        self._lines = Lines()

    def more(self, events: int) -> None:
        self._done += events
        self._lines.say("read", self._done, self._total)


class _Rows:
    """Prints as it goes: JSON line by line, tables in parts."""

    def __init__(self, form: str) -> None:
        self._json = form == "json"
        self._waiting: list[RecordedEvent] = []
        self.number = 0

    def add(self, event: RecordedEvent) -> None:
        self.number += 1
        if self._json:
            click.echo(orjson.dumps(to_structured(event)))
            return
        self._waiting.append(event)
        if len(self._waiting) == ROWS_A_TABLE:
            self._print()

    def close(self) -> None:
        if self._waiting:
            self._print()
        if not self._json:
            click.echo(f"{self.number:,} events")

    def _print(self) -> None:
        table = Table("child", "version", "type", "happened", "recorded")
        for e in self._waiting:
            times = (iso(e.occurred_at), iso(e.recorded_at))
            table.add(e.child_id, str(e.version), e.type, *times)
        table.print()
        self._waiting = []
