"""The command `seed`."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click

from deploy.seed.plan import Amount, Plan, SeedLedger, total
from deploy.seed.processes import VERIFY, WRITE, run_processes
from deploy.seed.topic import relay_place
from projection_worker.main import prepare_read_models
from projection_worker.projections import registry
from projection_worker.replay.verify.comparison import compared_counters
from projection_worker.session import Failed, Stores, run
from shared.clock import utc_now
from shared.command_line import console, progress
from shared.event_store.mongo import ensure_consents_index, ensure_indexes
from shared.read_models.documents import Model
from shared.read_models.generations import begin_catalog, live_generation

MOST_CHILDREN = 10_000_000
LINE_SECONDS = 5.0
A_DAY = timedelta(days=1)


@click.command()
@click.option("--children", required=True, type=click.IntRange(1, MOST_CHILDREN))
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0, 2**31))
@click.option(
    "--events-per-child",
    "events",
    default=6.0,
    show_default=True,
    type=click.FloatRange(4.5, 1_000),
    help="Events of a child, on average: with few, fewer children talk; with many, they talk more.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Number of processes; default: one per core.",
)
@click.option("--verify/--no-verify", "verified", default=True, show_default=True)
def seed(children: int, seed: int, events: float, workers: int | None, *, verified: bool) -> None:
    """Write many children with their histories into the stores, without the APIs and Kafka.

    While only the servers run: `teddy up --servers-only`. A run that was ended goes on when it is
    repeated."""
    processes = workers or os.cpu_count() or 1
    plan = Plan(seed, children, events, utc_now() - A_DAY)
    run(lambda on: _seed(on, plan, processes, verified=verified))


async def _seed(on: Stores, asked: Plan, processes: int, *, verified: bool) -> None:
    ledger = SeedLedger(on.commits)
    async with relay_place(on) as place:
        plan = await ledger.begin(asked)
        await ensure_indexes(on.commits)
        await ensure_consents_index(on.commits)
        limit = on.settings.conversation_limit_minutes
        live = (await begin_catalog(on.database, registry.VERSION, limit)).live
        begins = await live.collection(on.database, Model.CHILDREN).find_one() is None
        if not begins:
            await prepare_read_models(on.database, limit)
        before = await ledger.commits_before(plan, await place.hold())
        there = total(await ledger.written(plan))
        await _share(WRITE, plan, processes, plan.children - there.children)
        if begins:  # at the end they cost a tenth of what each child would cost
            await prepare_read_models(on.database, limit)
        is_left_out = await place.move_behind(before, total(await ledger.written(plan)))
        await ledger.finish(plan)
    if not is_left_out:
        click.echo("others wrote to the event store: the relay will publish all of it anew")
    if verified:
        await _verify(on, plan, processes)


async def _verify(on: Stores, plan: Plan, processes: int) -> None:
    """Everything that is in the stores. Raises Failed."""
    live = await live_generation(on.database)
    children = await live.collection(on.database, Model.CHILDREN).estimated_document_count()
    await _share(VERIFY, plan, processes, children)
    counters = await compared_counters(on.read, on.database, live)
    if wrong := [name for name, (summed, counted) in counters.items() if summed != counted]:
        raise Failed(f"counters differ from the sum over all children: {', '.join(wrong)}")
    click.secho("clean: read models, versions, hash chains and counters agree", fg="green")


async def _share(work: str, plan: Plan, processes: int, children: int) -> None:
    """Have `processes` do `work` on so many children, and say how far they are."""
    done, began = Amount(), time.perf_counter()
    with _shown(work, children) as show:

        def did(amount: Amount) -> None:
            nonlocal done
            done += amount
            show(done.children)

        await run_processes(work, plan.seed, processes, did)
    seconds = time.perf_counter() - began
    click.echo(
        f"{work}: {done.children:,} children, {done.events:,} events in {seconds:.1f} s, "
        f"{done.children / seconds:,.0f} children/s, {done.events / seconds:,.0f} events/s"
    )


@contextmanager
def _shown(work: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere a line on standard error every `LINE_SECONDS`."""
    said = began = time.monotonic()
    with progress(work, total) as bar:

        def show(done: int) -> None:
            nonlocal said
            bar(done)
            now = time.monotonic()
            if now - said >= LINE_SECONDS and not console().is_terminal:
                said = now
                rate = done / (now - began)
                click.echo(f"{work} {done:,}/{total:,} children, {rate:,.0f}/s", err=True)

        yield show
