"""`python -m tests.attack`: attack a local stack, and say what was not refused or bounded."""

import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import click

from deploy.local.control import StackFailed
from deploy.local.operator_settings import set_aside
from shared.command_line import run_command
from tests.attack.run import KINDS, Named, all_rows, run_all, show
from tests.attack.stack import stack_for_attacks


@click.command()
@click.option(
    "--case", "cases", multiple=True, help="Only this row or kind of rows; may be repeated."
)
@click.option(
    "--selection",
    type=click.Choice(["all", "ci"]),
    default="all",
    show_default=True,
    help="ci: a few attacks of each kind, without time limits.",
)
@click.option("--list", "only_list", is_flag=True, help="Print the attacks.")
def attack(cases: tuple[str, ...], selection: str, *, only_list: bool) -> None:
    """Attack a temporary local stack, on the loopback interface only. Exit code 1 if an attack
    was not refused or bounded; then the stack's folder is kept."""
    if exported := set_aside(os.environ):
        click.echo(str(exported), err=True)
    rows = _chosen(cases, selection)
    if only_list:
        for one in rows:
            click.echo(f"{one.name:60} {one.row.tried}")
        return
    began, path = time.monotonic(), Path(mkdtemp(prefix="teddy-attack-"))
    try:
        with stack_for_attacks(path) as folder:
            outcomes = asyncio.run(run_all(folder, rows, timed=selection == "all"))
    except BaseException:  # interrupted, too: nobody will look into it
        shutil.rmtree(path, ignore_errors=True)
        raise
    show(outcomes, time.monotonic() - began)
    if broken := [one for one in outcomes if not one.seen.holds]:
        again = " ".join(f"--case {one.name}" for one in broken)
        click.echo(f"kept: {path}; again: python -m tests.attack {again}")
        sys.exit(1)
    shutil.rmtree(path)


def _chosen(cases: tuple[str, ...], selection: str) -> list[Named]:
    rows = all_rows()
    for case in cases:
        if case not in KINDS and case not in {one.name for one in rows}:
            raise click.UsageError(f"no attack {case!r}; `make attack LIST=1` lists them")
    if cases:
        return [one for one in rows if {one.kind, one.name} & set(cases)]
    return [one for one in rows if one.row.ci or selection == "all"]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the stack is stopped, too
    run_command(attack, "attack", (StackFailed,))
