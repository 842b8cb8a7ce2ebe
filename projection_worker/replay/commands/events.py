"""`teddy replay events` and `teddy replay republish`: events of the store, printed or put on Kafka
again."""

import difflib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import click
import orjson

from projection_worker.dead_letters.redrive import open_producer, publish
from projection_worker.replay.commands.console import Lines, rate_option
from projection_worker.replay.histories import Selection, events_of_child
from projection_worker.replay.rebuild.pacing import Pace
from projection_worker.session import Stores, format_option, run
from shared.clock import iso
from shared.command_line import Moment, Table, progress
from shared.event_store.envelope import RecordedEvent
from shared.events.child import SCHEMA_VERSIONS
from shared.kafka import CHILD_EVENTS
from shared.serialization.cloud_events import KafkaRecord, to_record, to_structured

EVENT_TYPES = tuple(sorted(event.__name__ for event in SCHEMA_VERSIONS))


class EventType(click.ParamType):
    name = "event type"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in EVENT_TYPES:
            close = difflib.get_close_matches(value, EVENT_TYPES, n=1, cutoff=0.4)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(EVENT_TYPES)}"
            self.fail(f"{value!r} is not an event type; {meant}", param, ctx)
        return str(value)


def require_order(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--from must be before --to")


child_option = click.option("--child", "child_id", help="Only this child.")
from_option = click.option("--from", "since", type=Moment(), help="Recorded then or later.")
to_option = click.option("--to", "until", type=Moment(), help="Recorded before then.")

ROWS_A_TABLE = 500


@click.command()
@child_option
@from_option
@to_option
@click.option(
    "--type", "types", type=EventType(), multiple=True, help="Only this type; may be repeated."
)
@click.option("--limit", type=click.IntRange(1), help="Maximum number.")
@format_option("json: one CloudEvent per line.")
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

    async def work(on: Stores) -> None:
        total = None if child_id is None else await events_of_child(on.store, child_id)
        rows, lines, read = _Rows(form), Lines(), 0

        def report(events: int) -> None:
            """On standard error, where it takes long: what is chosen may be far between."""
            nonlocal read
            read += events
            lines.say("read", read, total)

        async for event in selection.events(on.store, report):
            rows.add(event)
            if rows.number == limit:
                break
        rows.close()

    run(work)


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


BATCH_EVENTS = 1_000


@click.command()
@child_option
@from_option
@to_option
@click.option("--all", "everything", is_flag=True, help="The whole event store.")
@rate_option
@click.option("--dry-run", is_flag=True, help="Count what would be published.")
def republish(
    child_id: str | None,
    since: datetime | None,
    until: datetime | None,
    *,
    everything: bool,
    rate: float | None,
    dry_run: bool,
) -> None:
    """Put events of the store on Kafka again, as the relay did.

    Consumers drop by version what they have seen: read models, counters and alerts stay as they
    are, and a consumer that had lost something has it again."""
    require_order(since, until)
    narrowed = child_id is not None or since is not None or until is not None
    if everything == narrowed:
        raise click.UsageError("republish either --all or a selection by --child, --from and --to")
    selection = Selection(child_id, since, until)

    async def work(on: Stores) -> None:
        if child_id is not None:
            await events_of_child(on.store, child_id)
        total = 0
        async for _ in selection.events(on.store):
            total += 1
        if dry_run:
            click.echo(f"{total:,} events would go to {CHILD_EVENTS.name}; nothing was published")
            return
        published = await _publish(on, selection, total, Pace(rate))
        click.echo(f"{published:,} events published to {CHILD_EVENTS.name}")

    run(work)


async def _publish(on: Stores, selection: Selection, total: int, pace: Pace) -> int:
    published = 0
    async with open_producer(on.settings.kafka) as producer:
        with progress("events", total) as report:
            async for batch in _batches(on, selection):
                await publish(producer, batch)
                published += len(batch)
                report(published)
                await pace.keep(len(batch))
    return published


async def _batches(on: Stores, selection: Selection) -> AsyncIterator[list[KafkaRecord]]:
    batch: list[KafkaRecord] = []
    async for event in selection.events(on.store):
        batch.append(to_record(event))
        if len(batch) == BATCH_EVENTS:
            yield batch
            batch = []
    if batch:
        yield batch
