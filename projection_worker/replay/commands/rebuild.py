"""`teddy replay rebuild`: the plan alone, or the work with its progress."""

import asyncio
import time
from collections.abc import Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import click

from projection_worker.projecting.generations import limit_of_rebuild
from projection_worker.projections import registry
from projection_worker.projections.rules import Rules
from projection_worker.replay.commands.console import counting, rate_option, shown
from projection_worker.replay.rebuild.cutover import Cutover
from projection_worker.replay.rebuild.ledger import Kind, Plan, Source
from projection_worker.replay.rebuild.rebuild import LEASE_SECONDS, Phase, Rebuild, lead
from projection_worker.replay.rebuild.slices import slices_of_store, slices_of_topic
from projection_worker.replay.verify.differences import in_words
from projection_worker.replay.verify.verifier import verifier_of
from projection_worker.session import Stores, run
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import read_catalog
from shared.tasks import in_background


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
            self.fail(f"{unknown[0]!r} is not a read model; allowed: all, {known}", param, ctx)
        return frozenset(Model(name) for name in names)


@click.command()
@click.option(
    "--model",
    "models",
    type=ModelNames(),
    help="Fold only these models, e.g. children,safety; others are copied. Default: all.",
)
@click.option(
    "--source",
    type=click.Choice([one.value for one in Source]),
    help="Source of the events. Default: store.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@rate_option
@click.option("--dry-run", is_flag=True, help="Print the plan and its differences; write nothing.")
@click.option("--resume", is_flag=True, help="Continue an interrupted rebuild.")
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

    Commands and queries go on meanwhile. What it replaces is kept for `teddy replay rollback`."""
    chosen = ALL_MODELS if models is None else models
    read_from = Source(source or Source.STORE)
    if resume and (models is not None or source is not None or dry_run):
        raise click.UsageError(
            "--resume continues with the original options: omit --model, --source, --dry-run"
        )
    if read_from is Source.KAFKA and chosen != ALL_MODELS:
        raise click.UsageError("--source kafka builds every model: omit --model")

    async def work(on: Stores) -> None:
        leader = Rebuild(on, workers, rate)
        steps = leader.resume if resume else partial(leader.begin, chosen, read_from)
        wait = 2 * LEASE_SECONDS if resume else 0.0
        await lead(on.database, lambda: following(leader, steps()), wait)

    if dry_run:
        run(lambda on: rehearse(on, chosen, read_from, workers))
    else:
        run(work)


LOOK_SECONDS = 0.25


async def following(rebuild: Rebuild, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` of `rebuild` and show its progress meanwhile."""
    started = time.monotonic()
    async with in_background(_show(rebuild)):
        await work
    assert rebuild.plan is not None
    for child, reason in (await rebuild.ledger.unopened(rebuild.plan.generation)).items():
        click.echo(
            f"child {child} cannot be decrypted, it has no search tokens or labels: {reason}",
            err=True,
        )
    click.echo(
        f"generation {rebuild.plan.generation.number} is live after "
        f"{time.monotonic() - started:.1f} s, conversations last at most "
        f"{rebuild.conversation_limit_minutes} min; `teddy replay rollback` goes back, "
        "`teddy replay drop-old` deletes the previous generation"
    )


async def _show(rebuild: Rebuild) -> None:
    with shown() as report:
        while True:
            if rebuild.plan is not None and rebuild.phase in (Phase.BUILD, Phase.VERIFY):
                phase = rebuild.phase
                total, done = await _standing(rebuild, rebuild.plan)
                report(phase, done, total)
            await asyncio.sleep(LOOK_SECONDS)


async def _standing(rebuild: Rebuild, plan: Plan) -> tuple[int, int]:
    """How many events the phase is about, and how many are done."""
    if rebuild.phase is Phase.VERIFY:
        tally = await rebuild.ledger.tally(plan.generation, Kind.CHILDREN)
        return tally.events, tally.verified
    kind = Kind.PARTITION if plan.source is Source.KAFKA else Kind.CHILDREN
    tally = await rebuild.ledger.tally(plan.generation, kind)
    return tally.events, tally.built


MOST_SHOWN = 20
PATIENCE_SECONDS = 10.0


async def rehearse(on: Stores, models: frozenset[Model], source: Source, workers: int) -> None:
    """Print the plan, and every place where the live generation would change."""
    catalog = await read_catalog(on.database)
    generation = await Cutover(on.database).next_generation(catalog)
    slices = (
        await slices_of_store(on.commits, generation)
        if source is Source.STORE
        else await slices_of_topic(on.settings.kafka, generation)
    )
    events = sum(one.events for one in slices)
    live = catalog.of(catalog.live)
    limit = limit_of_rebuild(models, live, on.settings.conversation_limit_minutes)
    click.echo(
        f"plan: generation {generation.number} of projections {registry.VERSION} beside "
        f"{catalog.live.number}; {', '.join(sorted(models))} from {events:,} events of the "
        f"{source}, {len(slices)} slices, {workers} workers; conversations last at most {limit} min"
    )
    rules = Rules(timedelta(minutes=limit))
    verifier = verifier_of(on, catalog.live, models, rules)
    with counting("verify", await verifier.events()) as seen:
        found = await verifier.verify(PATIENCE_SECONDS, seen)
    for line in (await in_words(on, catalog.live, found, rules))[:MOST_SHOWN]:
        click.echo(f"  {line}")
    click.echo(f"{found.found} differences in {found.children:,} children; nothing was changed")
