"""Runs a case: start the load, inject the faults, wait until the system is idle, judge what is
left: its history, the servers, the logs. That can be judged again, long after it ran."""

import asyncio
import random
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from deploy.load.model import Tally
from deploy.local.state import StackFolder
from projection_worker.session import Stores, open_stores
from projection_worker.settings import WorkerSettings
from shared.clock import new_id
from tests.faults import cases
from tests.faults.cases import CASES, Case
from tests.faults.checker import Violation, acknowledged, check
from tests.faults.facts import load_facts
from tests.faults.history import Entry, History, read_history
from tests.faults.leaks import canaries_of
from tests.faults.load import under_load
from tests.faults.stack import environment_of, servers_of
from tests.faults.world import World
from tests.support.waiting import until

WARM_SECONDS = 20.0
WARM_CHILDREN = 10
CASES_FOLDER = Path(cases.__file__).parent
SHORT_SECONDS, LONG_SECONDS = 20.0, 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case with one seed. `history`: the file that the checker read."""

    case: str
    seed: int
    faults: int
    acknowledged: int
    seconds: float
    history: Path
    violations: Sequence[Violation] = field(default_factory=list)

    def count(self, *kinds: str) -> int:
        return sum(one.kind in kinds for one in self.violations)


async def run_case(
    case: Case, seed: int, folder: StackFolder, on: Stores, *, long: bool = False
) -> Outcome:
    """`long`: what is away stays away for a minute."""
    started = time.monotonic()
    run = new_id()[:8]
    file = folder.path / f"{case.name}-{seed}.jsonl"
    history = History(file)
    away = LONG_SECONDS if long else SHORT_SECONDS
    world = World(folder, on, history, random.Random(f"{case.name}/{seed}"), run, away)
    injected, broken = 0, []
    tally = Tally()
    try:
        async with under_load(world, seed, case.commands, case.rate) as tally:
            await until(lambda: len(world.parents) >= WARM_CHILDREN, WARM_SECONDS)
            await asyncio.sleep(world.chance.random())
            injected = await case.inject(world)
    except Exception as error:  # noqa: BLE001 - a case that did not work out is a finding, too
        broken.append(Violation("case", f"{type(error).__name__}: {error} at {_where(error)}"))
    history.close()
    entries = list(read_history(file))
    answers = [Violation("answer", surprise) for surprise in tally.surprises]
    violations = [*broken, *answers, *await judge(case, entries, folder, on)]
    return Outcome(
        case.name,
        seed,
        injected,
        len(acknowledged(entries)),
        time.monotonic() - started,
        file,
        violations,
    )


def _where(error: Exception) -> str:
    """The innermost line of a case that it came through: waiting in vain says nothing else."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if Path(one.filename).parent == CASES_FOLDER]
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno} {last.line}"


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
