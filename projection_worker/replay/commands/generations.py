"""The commands `rollback`, `status` and `drop-old`."""

from functools import partial

import click
from rich.text import Text

from projection_worker.projections import registry
from projection_worker.replay.rebuild.cutover import Cutover, NotCaughtUp, children_behind
from projection_worker.replay.rebuild.ledger import Kind, Ledger
from projection_worker.replay.rebuild.rebuild import lead
from projection_worker.session import Refused, Stores, run
from shared.command_line import Table
from shared.read_models.generations import Catalog, KeptGeneration, begin_catalog
from shared.read_models.heartbeats import Heartbeats


@click.command()
@click.option(
    "--to", "number", type=click.IntRange(1), help="Default: the newest previously live generation."
)
def rollback(number: int | None) -> None:
    """Let queries read a generation again that was live before. It has been kept current."""
    run(lambda on: lead(on.database, partial(_roll_back, on, number)))


@click.command()
def status() -> None:
    """Show the kept generations, their limit of conversations and workers, how far a rebuild is."""
    run(_show_status)


@click.command("drop-old")
@click.option(
    "--unfinished",
    is_flag=True,
    help="Also drop the unfinished generation of an interrupted rebuild.",
)
def drop_old(*, unfinished: bool) -> None:
    """Remove the generations that were live before; there is no rollback to them any more."""
    run(lambda on: lead(on.database, partial(_drop, on, unfinished=unfinished)))


async def _catalog(on: Stores) -> Catalog:
    limit = on.settings.conversation_limit_minutes
    return await begin_catalog(on.database, registry.VERSION, limit)


async def _roll_back(on: Stores, number: int | None) -> None:
    catalog = await _catalog(on)
    before = [one for one in catalog.kept if one.was_live and one.generation != catalog.live]
    wanted = [one for one in before if number in (None, one.generation.number)]
    if not wanted:
        kept = ", ".join(str(one.generation.number) for one in before) or "none"
        which = f"generation {number}" if number else "a generation"
        raise Refused(f"{which} to roll back to does not exist; existing: {kept}")
    to = max(wanted, key=lambda one: one.generation.number).generation
    behind = await children_behind(on.database, catalog.live, to)
    if behind:
        raise NotCaughtUp(
            f"generation {to.number} is behind for {len(behind)} children, first {behind[0]}: "
            "do workers of its projections run?"
        )
    await Cutover(on.database).flip(catalog, to)
    click.echo(f"generation {to.number} is live; {catalog.live.number} is kept")


async def _drop(on: Stores, *, unfinished: bool) -> None:
    catalog = await _catalog(on)
    if catalog.unfinished is not None and not unfinished:
        number = catalog.unfinished.generation.number
        click.echo(f"generation {number} is unfinished and stays; --unfinished drops it, too")
    unwanted = [
        one.generation
        for one in catalog.kept
        if one.generation != catalog.live and (one.was_live or unfinished)
    ]
    dropped = await Cutover(on.database).drop(catalog, unwanted)
    ledger = Ledger(on.database)
    for generation in unwanted:
        await ledger.forget(generation)
    click.echo(f"generations dropped: {len(unwanted)}, collections: {len(dropped)}")


async def _show_status(on: Stores) -> None:
    catalog = await _catalog(on)
    table = Table("generation", "state", "projections", "limit", "workers", "rebuilt")
    for one in catalog.kept:
        workers = await Heartbeats(on.database).present(one.projections)
        table.add(
            one.generation.number,
            _state(one, catalog),
            one.projections,
            f"{one.conversation_limit_minutes} min",
            len(workers),
            await _progress(on, one),
        )
    table.print()


def _state(one: KeptGeneration, catalog: Catalog) -> Text:
    if one.generation == catalog.live:
        return Text("live", "green")
    return Text("kept for rollback") if one.was_live else Text("catching up", "yellow")


async def _progress(on: Stores, one: KeptGeneration) -> str:
    if await Ledger(on.database).plan(one.generation) is None:
        return ""
    tally = await Ledger(on.database).tally(one.generation, Kind.CHILDREN)
    return f"{tally.built:,} of {tally.events:,} events, {tally.verified:,} verified"
