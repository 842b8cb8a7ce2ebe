"""Judges what a case left: its history, the servers, the logs. Also long after it ran."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from deploy.local.state import StackFolder
from projection_worker.session import Stores, open_stores
from projection_worker.settings import WorkerSettings
from tests.faults.canaries import canaries_of
from tests.faults.cases import CASES, Case
from tests.faults.checker import Violation, check
from tests.faults.facts import load_facts
from tests.faults.history import Entry, read_history
from tests.faults.stack import environment_of, servers_of

MOST_TOLD = 10


async def judge(
    case: Case, history: Sequence[Entry], folder: StackFolder, on: Stores
) -> list[Violation]:
    """What of the promises does not hold, by the history and the servers alone."""
    facts = await load_facts(on, folder.logs, canaries_of(history), topic_is_whole=case.keeps_topic)
    return check(history, facts)


def judged_again(path: Path) -> int:
    """How much is broken in what an earlier run kept in the folder `path`."""
    with servers_of(path) as folder, environment_of(folder):
        return asyncio.run(_judge_all(folder))


def tell(what: str, violations: Sequence[Violation]) -> None:
    """One line, and one for each of the first violations."""
    click.echo(f"{what}  {f'{len(violations)} BROKEN' if violations else 'holds'}")
    for violation in violations[:MOST_TOLD]:
        click.echo(f"    {violation.kind}: {violation.detail}")


async def _judge_all(folder: StackFolder) -> int:
    broken = 0
    async with open_stores(WorkerSettings()) as on:
        for file in sorted(folder.path.glob("*.jsonl")):
            history = list(read_history(file))
            case = CASES[file.stem.rpartition("-")[0]]
            violations = await judge(case, history, folder, on)
            tell(f"{file.stem:40} {len(history):6,} requests", violations)
            broken += len(violations)
    return broken
