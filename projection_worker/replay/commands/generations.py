"""The commands `rebuild`, `rollback`, `status` and `drop-old`."""

from functools import partial
from typing import Any

import click
from rich.text import Text

from projection_worker.projections import registry
from projection_worker.replay.commands.parameters import rate_option
from projection_worker.replay.commands.running import run
from projection_worker.replay.opened import Opened
from projection_worker.replay.rebuild.behind import children_behind
from projection_worker.replay.rebuild.cutover import Cutover, NotCaughtUp
from projection_worker.replay.rebuild.display import following
from projection_worker.replay.rebuild.leadership import LEASE_SECONDS, lead
from projection_worker.replay.rebuild.ledger import Kind, Ledger, Source
from projection_worker.replay.rebuild.rebuild import Rebuild
from projection_worker.replay.rebuild.rehearsal import rehearse
from projection_worker.replay.refusals import Refused
from projection_worker.roll_call import RollCall
from shared.read_models.generations import Catalog, KeptGeneration, begin_catalog
from shared.read_models.models import ALL_MODELS, Model
from shared.tables import Table


class ModelNames(click.ParamType):
    """`all`, or names of read models with commas between them."""

    name = "models"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[Model]:
        if isinstance(value, frozenset):
            return value
        if value == "all":
            return ALL_MODELS
        names = [name.strip() for name in value.split(",")]
        unknown = sorted(set(names) - {*Model})
        if unknown:
            known = ", ".join(Model)
            self.fail(f"{unknown[0]!r} is no read model; there are all, {known}", param, ctx)
        return frozenset(Model(name) for name in names)


@click.command()
@click.option(
    "--model",
    "models",
    type=ModelNames(),
    help="Fold only these anew, e.g. children,safety; others are carried over. Default: all.",
)
@click.option(
    "--source",
    type=click.Choice([one.value for one in Source]),
    help="Where events are read. Default: store.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@rate_option
@click.option("--dry-run", is_flag=True, help="Print the plan and what it would change.")
@click.option("--resume", is_flag=True, help="Go on with a rebuild that ended early.")
def rebuild(
    models: frozenset[Model] | None,
    source: str | None,
    workers: int,
    rate: float | None,
    *,
    dry_run: bool,
    resume: bool,
) -> None:
    """Build the next generation of the read models beside the live one, verify it, make it live.

    Commands and queries go on meanwhile. What it replaces is kept for `teddy replay rollback`.
    """
    chosen = ALL_MODELS if models is None else models
    read_from = Source(source or Source.STORE)
    if resume and (models is not None or source is not None or dry_run):
        raise click.UsageError("--resume goes on as begun: leave out --model, --source, --dry-run")
    if read_from is Source.KAFKA and chosen != ALL_MODELS:
        raise click.UsageError("--source kafka builds every model: leave out --model")

    async def work(on: Opened) -> None:
        leader = Rebuild(on, workers, rate)
        steps = leader.resume if resume else partial(leader.begin, chosen, read_from)
        wait = 2 * LEASE_SECONDS if resume else 0.0
        await lead(on.database, lambda: following(leader, steps()), wait)

    if dry_run:
        run(lambda on: rehearse(on, chosen, read_from, workers))
    else:
        run(work)


@click.command()
@click.option("--to", "number", type=click.IntRange(1), help="Default: the newest that was live.")
def rollback(number: int | None) -> None:
    """Let queries read a generation again that was live before. It has been kept current."""

    async def work(on: Opened) -> None:
        await lead(on.database, partial(_roll_back, on, number))

    run(work)


@click.command()
def status() -> None:
    """Show the kept generations, their limit of conversations and workers, how far a rebuild is."""
    run(_show_status)


@click.command("drop-old")
@click.option("--unfinished", is_flag=True, help="Drop what an ended rebuild left unfinished, too.")
def drop_old(*, unfinished: bool) -> None:
    """Remove the generations that were live before; there is no rollback to them any more."""

    async def work(on: Opened) -> None:
        await lead(on.database, partial(_drop, on, unfinished=unfinished))

    run(work)


async def _catalog(on: Opened) -> Catalog:
    limit = on.settings.conversation_limit_minutes
    return await begin_catalog(on.database, registry.VERSION, limit)


async def _roll_back(on: Opened, number: int | None) -> None:
    catalog = await _catalog(on)
    before = [one for one in catalog.kept if one.was_live and one.generation != catalog.live]
    wanted = [one for one in before if number in (None, one.generation.number)]
    if not wanted:
        kept = ", ".join(str(one.generation.number) for one in before) or "none"
        which = f"generation {number}" if number else "a generation"
        raise Refused(f"{which} to roll back to is not kept; kept from before: {kept}")
    to = max(wanted, key=lambda one: one.generation.number).generation
    behind = await children_behind(on.database, catalog.live, to)
    if behind:
        raise NotCaughtUp(
            f"generation {to.number} is behind for {len(behind)} children, first {behind[0]}: "
            "do workers of its projections run?"
        )
    await Cutover(on.database).flip(catalog, to)
    click.echo(f"generation {to.number} is live; {catalog.live.number} is kept")


async def _drop(on: Opened, *, unfinished: bool) -> None:
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


async def _show_status(on: Opened) -> None:
    catalog = await _catalog(on)
    table = Table("generation", "state", "projections", "limit", "workers", "rebuilt")
    for one in catalog.kept:
        workers = await RollCall(on.database).present(one.projections)
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


async def _progress(on: Opened, one: KeptGeneration) -> str:
    if await Ledger(on.database).plan(one.generation) is None:
        return ""
    tally = await Ledger(on.database).tally(one.generation, Kind.CHILDREN)
    return f"{tally.built:,} of {tally.events:,} events, {tally.verified:,} verified"
