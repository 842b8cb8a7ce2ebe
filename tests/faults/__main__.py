"""`python -m tests.faults`: run named, seeded faults and judge what is left."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import click

from deploy.local.operator_settings import set_aside
from deploy.local.state import StackFolder
from projection_worker.session import open_stores
from projection_worker.settings import WorkerSettings
from shared.command_line import Table, run_command
from tests.faults.cases import CASES, Case
from tests.faults.report import PAGE, measured_seconds, renew
from tests.faults.run import Outcome, judged_again, run_case, tell
from tests.faults.slices import commit_of, slices_of, turn_of
from tests.faults.stack import environment_of, stack_for_faults

SEEDS = (1, 2, 3)


@click.command()
@click.option("--case", "names", multiple=True, help="Only this case; may be repeated.")
@click.option("--seed", "seeds", multiple=True, type=int, help="Default: 1, 2 and 3.")
@click.option(
    "--selection",
    type=click.Choice(["all", "ci"]),
    default="all",
    show_default=True,
    help="ci: the slice of the cases for this commit.",
)
@click.option("--slice", "number", type=int, help="Number of the slice to run.")
@click.option("--long", is_flag=True, help="Outages last 60 s instead of 20 s.")
@click.option(
    "--report/--no-report",
    default=None,
    help="Update the table in docs/reliability.md; default: only for a run with all seeds.",
)
@click.option("--list", "only_list", is_flag=True, help="Print the cases and their faults.")
@click.option(
    "--check",
    "kept",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Inject nothing; check the history that an earlier run kept in this folder.",
)
def faults(
    names: tuple[str, ...],
    seeds: tuple[int, ...],
    selection: str,
    number: int | None,
    *,
    long: bool,
    report: bool | None,
    only_list: bool,
    kept: Path | None,
) -> None:
    """Inject faults and check the guarantees. Exit code 1 if one is violated. A run with all seeds
    updates the rows of its cases in docs/reliability.md."""
    if exported := set_aside(os.environ):
        click.echo(str(exported), err=True)
    cases = _chosen(names, selection, number)
    if kept is not None:
        sys.exit(1 if judged_again(kept) else 0)
    if only_list:
        for case in cases:
            click.echo(f"{case.name:36} {case.injects}")
        return
    chosen = seeds or ((1,) if selection == "ci" or number is not None else SEEDS)
    commit = commit_of() or "no commit"
    outcomes = [one for seed in chosen for one in _run_seed(cases, seed, long=long)]
    _show(outcomes)
    if set(SEEDS) <= set(chosen) if report is None else report:
        renew(PAGE, outcomes, commit)
        click.echo(f"updated {len(cases)} rows of the table in {PAGE.name}")
    sys.exit(1 if any(one.violations for one in outcomes) else 0)


def _chosen(names: tuple[str, ...], selection: str, number: int | None) -> list[Case]:
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise click.UsageError(f"no case {unknown[0]!r}; `make faults LIST=1` lists them")
    if names:
        return [CASES[name] for name in names]
    slices = slices_of(list(CASES.values()), measured_seconds(PAGE))
    if number is not None:
        if not 1 <= number <= len(slices):
            raise click.UsageError(f"no slice {number}: there are 1 to {len(slices)}")
        return slices[number - 1]
    if selection == "all":
        return list(CASES.values())
    turn = turn_of()
    due = turn.number % len(slices)
    click.echo(
        f"slice {due + 1} of {len(slices)} by {turn.because}: {len(slices[due])} of {len(CASES)} "
        f"cases; again: make faults SLICE={due + 1}"
    )
    return slices[due]


def _run_seed(cases: Sequence[Case], seed: int, *, long: bool) -> list[Outcome]:
    """All cases on one stack. Where something was found its folder stays, and those that are left
    get another one: what is broken would be found in them again."""
    outcomes: list[Outcome] = []
    while len(outcomes) < len(cases):
        path = Path(mkdtemp(prefix="teddy-faults-"))
        with stack_for_faults(path) as folder, environment_of(folder):
            left = cases[len(outcomes) :]
            outcomes += asyncio.run(_run_until_broken(left, seed, folder, long=long))
        if not outcomes[-1].violations:
            shutil.rmtree(path)
    return outcomes


async def _run_until_broken(
    cases: Sequence[Case], seed: int, folder: StackFolder, *, long: bool
) -> list[Outcome]:
    outcomes = []
    for case in cases:
        async with open_stores(WorkerSettings()) as on:
            outcome = await run_case(case, seed, folder, on, long=long)
        outcomes.append(outcome)
        numbers = f"{outcome.faults:6,} faults {outcome.acknowledged:6,} acknowledged"
        tell(f"seed {seed} {case.name:36} {numbers} {outcome.seconds:5.1f} s", outcome.violations)
        if outcome.violations:
            click.echo(f"    kept: {folder.path}; again: make faults CASE={case.name} SEED={seed}")
            break
    return outcomes


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
    table.add(*(f"{number:,}" for number in numbers))
    table.print()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the stack is stopped, too
    run_command(faults, "faults")
