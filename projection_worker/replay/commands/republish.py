"""`teddy replay republish`."""

from collections.abc import AsyncIterator
from datetime import datetime

import click

from projection_worker.redrive import Republished, open_producer, publish
from projection_worker.replay.commands.parameters import (
    child_option,
    from_option,
    rate_option,
    require_order,
    to_option,
)
from projection_worker.replay.commands.running import run
from projection_worker.replay.opened import Opened
from projection_worker.replay.rebuild.pace import Pace
from projection_worker.replay.selection import Selection, events_of_child
from shared.cloud_events import to_record
from shared.tables import progress
from shared.topics import CHILD_EVENTS

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
    are, and a consumer that had lost something has it again.
    """
    require_order(since, until)
    narrowed = child_id is not None or since is not None or until is not None
    if everything == narrowed:
        raise click.UsageError("republish either --all or what --child, --from and --to choose")
    selection = Selection(child_id, since, until)

    async def work(on: Opened) -> None:
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


async def _publish(on: Opened, selection: Selection, total: int, pace: Pace) -> int:
    published = 0
    async with open_producer(on.settings.kafka) as producer:
        with progress("events", total) as tell:
            async for batch in _batches(on, selection):
                await publish(producer, batch)
                published += len(batch)
                tell(published)
                await pace.keep(len(batch))
    return published


async def _batches(on: Opened, selection: Selection) -> AsyncIterator[list[Republished]]:
    batch: list[Republished] = []
    async for event in selection.events(on.store):
        record = to_record(event)
        batch.append(Republished(record.key, record.value, tuple(record.headers)))
        if len(batch) == BATCH_EVENTS:
            yield batch
            batch = []
    if batch:
        yield batch
