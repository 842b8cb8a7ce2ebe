"""`python -m tests.bench.rebuild_under_load`: a rebuild, killed twice while the system serves.

A stack of its own gets `--events` events. Then commands are sent at `--rate` per second and readers
request profiles, while `teddy replay rebuild` runs, is killed while it builds, resumed, killed
while it verifies, and resumed again. At the end everything is verified.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from deploy.local import control
from deploy.local.state import StackFolder, StackState
from projection_worker.replay.rebuild.ledger import Kind, Ledger, Tally
from projection_worker.session import Stores, open_stores
from projection_worker.settings import WorkerSettings
from shared.auth.access import Role
from shared.mongo import Document, aggregate
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation, read_catalog
from tests.support.callers import token
from tests.support.histories import write_histories
from tests.support.readers import Read, reading
from tests.support.waiting import eventually

EVENTS_A_CHILD = 40
READERS = 4
WATCHED = 400
RUN_SECONDS = 900.0
LAST_RUN, WELL = "its last run", "ended well"


class Measured(dict[str, str]):
    """Lines of the result, in order."""


@click.command()
@click.option("--events", default=200_000, show_default=True, type=click.IntRange(1_000))
@click.option("--rate", default=300, show_default=True, type=click.IntRange(1))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 16))
def main(events: int, rate: int, workers: int) -> None:
    """Print what was measured; exit code 1 unless all queries were answered and all is clean."""
    with TemporaryDirectory(prefix="teddy-rebuild-") as path:
        folder = StackFolder(Path(path))
        state = control.up(folder)
        try:
            os.environ.update(state.environment)
            clean = asyncio.run(_measure(folder, state, events, rate, workers))
        finally:
            control.down(folder)
    sys.exit(0 if clean else 1)


async def _measure(
    folder: StackFolder, state: StackState, events: int, rate: int, workers: int
) -> bool:
    measured = Measured()
    async with open_stores(WorkerSettings()) as on:
        ids = await _live(state, on, events, measured)
        await _undisturbed(folder, events, workers, measured)
        read = await _rebuild_under_load(folder, state, on, ids, rate, workers, measured)
    verified = _teddy(folder, "verify", "--wait", "120")
    measured["verify"] = verified.stdout.strip().splitlines()[-1]
    _print(measured, read)
    return (
        verified.returncode == 0 and measured[LAST_RUN] == WELL and not read.failed + read.backwards
    )


async def _live(state: StackState, on: Stores, events: int, measured: Measured) -> list[str]:
    """Write the events, then let relay and worker bring them into the read models."""
    relay = next(one.pid for one in state.processes if one.name == "relay")
    os.kill(relay, signal.SIGSTOP)
    began = time.monotonic()
    ids = await write_histories(
        on.store, on.keyring, max(1, events // EVENTS_A_CHILD), EVENTS_A_CHILD
    )
    measured["events in the store"] = f"{events:,} of {len(ids):,} children"
    measured["written"] = _speed(events, began)
    os.kill(relay, signal.SIGCONT)
    began = time.monotonic()
    await _caught_up(on, len(ids) * EVENTS_A_CHILD)
    measured["relay and live worker (baseline)"] = _speed(events, began)
    return ids


async def _undisturbed(folder: StackFolder, events: int, workers: int, measured: Measured) -> None:
    """A rebuild with nothing beside it, for comparison; its generation is dropped again."""
    began = time.monotonic()
    done = await asyncio.to_thread(_teddy, folder, "replay", "rebuild", "--workers", str(workers))
    measured["rebuild with nothing beside it"] = f"{_speed(events, began)}, verified"
    measured["it ended"] = done.stdout.strip().splitlines()[-1].partition(";")[0]
    await asyncio.to_thread(_teddy, folder, "replay", "drop-old")


def _speed(events: int, began: float) -> str:
    seconds = time.monotonic() - began
    return f"{events / seconds:,.0f} events/s ({seconds:.1f} s)"


async def _rebuild_under_load(
    folder: StackFolder,
    state: StackState,
    on: Stores,
    ids: list[str],
    rate: int,
    workers: int,
    measured: Measured,
) -> Read:
    url, bearer = state.environment["TEDDY_QUERY_URL"], token(state, Role.ADMIN, "reader")
    with ExitStack() as stack:
        load = _start(folder, "load", "--rate", str(rate), "--commands", "1000000", stack=stack)
        async with reading(url, bearer, ids[:WATCHED], READERS, pause=0.01) as read:
            began = time.monotonic()
            rebuild = ["replay", "rebuild", "--workers", str(workers)]
            await _killed_at(folder, on, rebuild, lambda t: t.built > t.events // 3)
            await _killed_at(folder, on, [*rebuild, "--resume"], lambda t: t.verified > 0)
            last = _start(folder, *rebuild, "--resume", stack=stack)
            code = await asyncio.to_thread(last.wait)
            measured["rebuild, killed twice, seconds"] = f"{time.monotonic() - began:.1f}"
            measured[LAST_RUN] = WELL if code == 0 else _end_of(folder.logs / "bench-replay.log")
            running = load.poll() is None
            measured["load"] = f"{rate} commands/s, {'running' if running else 'ENDED'} to the end"
        load.terminate()
        await asyncio.to_thread(load.wait)
    measured["queries answered meanwhile"] = f"{read.answered:,}"
    return read


async def _killed_at(
    folder: StackFolder, on: Stores, arguments: list[str], reached: Callable[[Tally], bool]
) -> None:
    """Run a rebuild and kill it hard once its tally is `reached`."""
    with ExitStack() as stack:
        process = _start(folder, *arguments, stack=stack)

        async def time_to_kill() -> bool:
            if process.poll() is not None:
                raise click.ClickException("the rebuild ended before it could be killed")
            return await _is(on, reached)

        await eventually(time_to_kill, RUN_SECONDS)
        process.kill()
        await asyncio.to_thread(process.wait)


async def _is(on: Stores, reached: Callable[[Tally], bool]) -> bool:
    unfinished = (await read_catalog(on.database)).unfinished
    if unfinished is None:
        return False
    tally: Tally = await Ledger(on.database).tally(unfinished.generation, Kind.CHILDREN)
    return tally.events > 0 and bool(reached(tally))


async def _caught_up(on: Stores, events: int) -> None:
    """Until the live read models have seen `events` events."""
    children = (await live_generation(on.database)).collection(on.database, Model.CHILDREN)
    seen: list[Document] = [{"$group": {"_id": None, "events": {"$sum": "$version"}}}]

    async def all_seen() -> bool:
        return any([total["events"] >= events async for total in aggregate(children, seen)])

    await eventually(all_seen, RUN_SECONDS)


def _start(folder: StackFolder, *arguments: str, stack: ExitStack) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "deploy.cli", "--dir", str(folder.path), *arguments]
    log = stack.enter_context((folder.logs / f"bench-{arguments[0]}.log").open("ab"))
    return subprocess.Popen(command, stdout=log, stderr=log)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace").strip().splitlines()[-1]


def _teddy(folder: StackFolder, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy.cli", "--dir", str(folder.path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _print(measured: Measured, read: Read) -> None:
    table = Table("what", "measured")
    for name, value in measured.items():
        table.add_row(name, value)
    table.add_row("queries that failed", str(len(read.failed)))
    table.add_row("queries that went backwards", str(len(read.backwards)))
    Console().print(table)
    for line in [*read.failed[:10], *read.backwards[:10]]:
        click.echo(line)


if __name__ == "__main__":
    main()
