"""`teddy replay verify` and `teddy verify`."""

import random
import sys
from collections.abc import AsyncIterator

import click

from projection_worker.replay.commands.console import Amount, counting
from projection_worker.replay.histories import (
    Stream,
    events_of_child,
    in_batches,
    stream_of,
    streams,
)
from projection_worker.replay.verify.comparison import Verification
from projection_worker.replay.verify.differences import in_words
from projection_worker.replay.verify.long_children import Seen
from projection_worker.replay.verify.verifier import BATCH_EVENTS, Verifier, verifier_of
from projection_worker.session import Stores, run
from shared.command_line import Table
from shared.event_store.port import EventStore
from shared.read_models.generations import live_generation


@click.command()
@click.option(
    "--wait",
    type=Amount(0),
    default=10.0,
    show_default=True,
    help="Seconds to wait for children that lag behind the event store.",
)
@click.option(
    "--sample", type=click.IntRange(1), help="Check only this many children, chosen by --seed."
)
@click.option("--seed", type=int, help="Seed of the sample; random unless given.")
@click.option("--child", "child_id", help="Only this child.")
def verify(wait: float, sample: int | None, seed: int | None, child_id: str | None) -> None:
    """Compare every read model with a fold of the event store; exit code 1 on a difference.

    Also while the system works: of each child, what its read models have seen is compared."""
    if sample is not None and child_id is not None:
        raise click.UsageError("--sample and --child exclude each other")
    if seed is not None and sample is None:
        raise click.UsageError("--seed chooses a sample: give --sample, too")

    async def work(on: Stores) -> tuple[Verification, list[str]]:
        live = await live_generation(on.database)
        verifier = verifier_of(on, live)
        if sample is None and child_id is None:
            with counting("verify", await verifier.events()) as seen:
                found = await verifier.verify(wait, seen)
        else:
            chosen, total = await _chosen(on.store, sample, seed, child_id)
            with counting("verify", total) as seen:
                found = await _verify_some(on.store, verifier, chosen, wait, seen)
        return found, await in_words(on, live, found)

    found, differences = run(work)
    _show(found, differences)
    sys.exit(0 if found.clean else 1)


async def _verify_some(
    store: EventStore, verifier: Verifier, chosen: list[str], wait: float, seen: Seen
) -> Verification:
    found = Verification()

    async def one_by_one() -> AsyncIterator[Stream]:
        for child_id in chosen:
            if (stream := await stream_of(store, child_id)) is not None:
                yield stream

    async for batch, _ in in_batches(one_by_one(), BATCH_EVENTS):
        found.add(await verifier.verify_children(batch, wait, seen))
    return found


async def _chosen(
    store: EventStore, sample: int | None, seed: int | None, child_id: str | None
) -> tuple[list[str], int | None]:
    """The child asked for and how many events it has, or a sample in which every child is as likely
    as any other."""
    if child_id is not None:
        return [child_id], await events_of_child(store, child_id)
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    chosen: list[str] = []
    number = 0
    async for stream in streams(store):
        number += 1
        if len(chosen) < (sample or 0):
            chosen.append(stream.child_id)
        elif (place := chance.randrange(number)) < len(chosen):
            chosen[place] = stream.child_id
    return chosen, None


def _show(found: Verification, differences: list[str]) -> None:
    table = Table("compared", "number")
    table.add("children", f"{found.children:,}")
    table.add("events", f"{found.events:,}")
    for model, number in sorted(found.documents.items()):
        table.add(f"documents of {model}", f"{number:,}")
    if found.counters:
        table.add("system counters", f"{found.counters:,}")
    table.add("digest of all children", f"{found.digest:064x}")
    table.print()
    for line in differences:
        click.echo(line)
    for child, reason in sorted(found.unopened.items()):
        click.echo(f"child {child} cannot be decrypted: {reason}")
    if found.behind:
        click.echo(
            f"children behind: {len(found.behind):,}, "
            f"of these dead-lettered: {len(found.dead_lettered):,}"
        )
    if found.clean:
        totals = ", hash chains and counters" if found.counters else " and hash chains"
        click.secho(f"clean: read models, versions{totals} agree", fg="green")
    else:
        unopened = (
            f", children that cannot be decrypted: {len(found.unopened):,}"
            if found.unopened
            else ""
        )
        click.secho(f"differences: {found.found:,}, shown: {len(differences)}{unopened}", fg="red")
