"""`python -m tests.faults`: run named, seeded faults and judge what is left."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import click
from rich.console import Console
from rich.table import Table

from deploy.local.state import StackFolder
from projection_worker.replay.opened import opened
from shared.command_line import run_command
from shared.settings import WorkerSettings
from tests.faults import report
from tests.faults.cases import CASES, Case
from tests.faults.run import Outcome, run_case
from tests.faults.world import stack_for_faults

SEEDS = (1, 2, 3)


@click.command()
@click.option("--case", "names", multiple=True, help="Only this case; may be repeated.")
@click.option("--seed", "seeds", multiple=True, type=int, help="Default: 1, 2 and 3.")
@click.option("--selection", type=click.Choice(["all", "ci"]), default="all", show_default=True)
@click.option("--list", "only_list", is_flag=True, help="Print the cases and what they inject.")
def faults(
    names: tuple[str, ...], seeds: tuple[int, ...], selection: str, *, only_list: bool
) -> None:
    """Exit code 1 when a promise was broken. A run of all cases and seeds renews the table in
    docs/reliability.md."""
    cases = _chosen(names, selection)
    if only_list:
        for case in cases:
            click.echo(f"{case.name:36} {case.injects}")
        return
    chosen = seeds or ((1,) if selection == "ci" else SEEDS)
    outcomes = [one for seed in chosen for one in _run_seed(cases, seed)]
    _show(outcomes)
    if len(cases) == len(CASES) and set(SEEDS) <= set(chosen):
        report.rewrite(outcomes)
        click.echo(f"renewed the table in {report.PAGE.name}")
    sys.exit(1 if any(one.violations for one in outcomes) else 0)


def _chosen(names: tuple[str, ...], selection: str) -> list[Case]:
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise click.UsageError(f"no case {unknown[0]!r}; `make faults LIST=1` names them")
    if names:
        return [CASES[name] for name in names]
    return [case for case in CASES.values() if case.quick or selection == "all"]


def _run_seed(cases: Sequence[Case], seed: int) -> list[Outcome]:
    """All cases on one stack. Its folder stays when something was found."""
    path = Path(mkdtemp(prefix="teddy-faults-"))
    with stack_for_faults(path) as folder, _environment_of(folder):
        outcomes = asyncio.run(_run_cases(cases, seed, folder))
    if not any(one.violations for one in outcomes):
        shutil.rmtree(path)
    return outcomes


async def _run_cases(cases: Sequence[Case], seed: int, folder: StackFolder) -> list[Outcome]:
    outcomes = []
    for case in cases:
        async with opened(WorkerSettings()) as on:
            outcome = await run_case(case, seed, folder, on)
        outcomes.append(outcome)
        said = "holds" if not outcome.violations else f"{len(outcome.violations)} BROKEN"
        click.echo(
            f"seed {seed} {case.name:36} {outcome.faults:6,} faults "
            f"{outcome.acknowledged:6,} acknowledged {outcome.seconds:5.1f} s  {said}"
        )
        for violation in outcome.violations[:10]:
            click.echo(f"    {violation.kind}: {violation.detail}")
        if outcome.violations:
            click.echo(f"    kept: {folder.path}; again: make faults CASE={case.name} SEED={seed}")
    return outcomes


@contextmanager
def _environment_of(folder: StackFolder) -> Iterator[None]:
    """The stack's settings, for what runs in this process."""
    state = folder.load()
    assert state is not None
    before = dict(os.environ)
    os.environ.update(state.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _show(outcomes: Sequence[Outcome]) -> None:
    table = Table("cases run", "faults", "acknowledged", "lost", "duplicated", "other broken")
    lost = sum(one.count("lost") for one in outcomes)
    duplicated = sum(one.count("duplicate") for one in outcomes)
    numbers = (
        len(outcomes),
        sum(one.faults for one in outcomes),
        sum(one.acknowledged for one in outcomes),
        lost,
        duplicated,
        sum(len(one.violations) for one in outcomes) - lost - duplicated,
    )
    table.add_row(*(f"{number:,}" for number in numbers))
    Console().print(table)


if __name__ == "__main__":
    run_command(faults, "faults")
