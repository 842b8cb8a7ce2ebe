"""`make bench-long`: is a child with a history of ten years served like any other? Table and plot
of docs/performance.md.

For each length a local stack of its own: the child is inserted directly into the event store while
the relay is paused. Then the read models are rebuilt and verified, the child receives commands and
queries, and is exported. A client sends commands about other children all the time, one after the
other: first alone, then during the child's first command and its export.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from unittest import mock

import click
import httpx2
import psutil

from deploy.local import control
from deploy.local.state import StackFolder, StackState
from projection_worker.session import Stores, open_stores
from projection_worker.settings import WorkerSettings
from shared.auth.access import Role
from shared.client import SeenWrites, TeddyClient, TeddyProblem
from shared.clock import new_id, utc_now
from shared.mongo import Mongo
from tests.bench.long_lives_page import LongLife, printed, written_page
from tests.support.callers import client, token
from tests.support.commands import teddy_process
from tests.support.consents import CONSENTS
from tests.support.histories import history, insert_history

LENGTHS = (1_000, 10_000, 100_000, 300_000)
ASKED = 20
"""Times that a query is asked, past the cache."""
ALONE_SECONDS = 5.0
BETWEEN_SECONDS = 0.005
PARENT = "parent-long-lives"
OFTEN_SECONDS = 0.05


@click.command()
@click.option("--events", "lengths", type=click.IntRange(100), multiple=True, default=LENGTHS)
@click.option("--write", is_flag=True, help="Renew docs/performance.md.")
def main(lengths: tuple[int, ...], *, write: bool) -> None:
    """Measure children of so many events; exit code 1 when a rebuild or verify failed."""
    lives = [_measured(events) for events in lengths]
    click.echo(printed(lives))
    if write:
        click.echo(f"written: {written_page(lives)}")


def _measured(events: int) -> LongLife:
    click.echo(f"a child of {events:,} events ...", err=True)
    with TemporaryDirectory(prefix="teddy-long-") as path:
        folder = StackFolder(Path(path))
        state = control.up(folder)
        with mock.patch.dict(os.environ, state.environment):  # the next stack has its own servers
            try:
                return asyncio.run(_measure(folder, state, events))
            finally:
                control.down(folder)


async def _measure(folder: StackFolder, state: StackState, events: int) -> LongLife:
    os.kill(_pid(state, "relay"), signal.SIGSTOP)
    async with open_stores(WorkerSettings()) as on, client(state, Role.PARENT, PARENT) as parent:
        child = await _inserted(on, events)
        rebuilt = await _seconds(lambda: _teddy(folder, "replay", "rebuild", "--workers", "2"))
        verified = await _seconds(lambda: _teddy(folder, "verify"))
        async with _others(state) as others:
            await asyncio.sleep(ALONE_SECONDS)
            alone, others.waited = others.waited, []
            grown = _Grown(_pid(state, "command"), _pid(state, "query"))
            first = await _seconds(lambda: _consented(parent, child))
            following = await _seconds(lambda: parent.update_child_profile(child, age=7))
            beside_command, others.waited = others.waited, []
            profile, report, page = await _queries(state, child)
            others.waited = []
            export = await _seconds(lambda: _exported(state, child, events, grown))
            beside_export = others.waited
    return LongLife(
        events=events,
        rebuild=rebuilt,
        verify=verified,
        first_command=first,
        next_command=following,
        profile=profile,
        report=report,
        conversations=page,
        export=export,
        command_grew_mb=grown.of_command,
        query_grew_mb=grown.of_query,
        others_alone=_p99(alone),
        others_beside_command=_p99(beside_command),
        others_beside_export=_p99(beside_export),
    )


async def _inserted(on: Stores, events: int) -> str:
    settings = WorkerSettings()
    mongo = Mongo(settings.write_mongo_url)
    try:
        database = mongo.database(settings.write_database)
        child_id, begin = new_id(), utc_now() - timedelta(minutes=events)
        happened = history(child_id, events, begin, PARENT)
        await insert_history(database, on.keyring, child_id, happened)
        return child_id
    finally:
        await mongo.close()


async def _consented(parent: TeddyClient, child_id: str) -> None:
    """The child's first command, sent again as long as the child is being loaded."""
    while True:
        try:
            await parent.give_consent(child_id, "account", "2026-11", "signed_form")
        except TeddyProblem as problem:
            if problem.code != "child-loading":
                raise
        else:
            return


async def _queries(state: StackState, child_id: str) -> tuple[float, float, float]:
    """Median seconds of the profile, the safety report and the first page of conversations."""
    headers = {"Authorization": f"Bearer {token(state, Role.PARENT, PARENT)}"}
    url = state.environment["TEDDY_QUERY_URL"]
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30.0) as http:
        admin = {"Authorization": f"Bearer {token(state, Role.ADMIN, 'admin-1')}"}

        async def asked(path: str) -> float:
            seconds = []
            for _ in range(ASKED):
                (await http.delete("/v1/cache", headers=admin)).raise_for_status()
                began = time.perf_counter()
                (await http.get(f"/v1/children/{child_id}{path}")).raise_for_status()
                seconds.append(time.perf_counter() - began)
            return median(seconds)

        return await asked(""), await asked("/safety-report"), await asked("/conversations")


async def _exported(state: StackState, child_id: str, events: int, grown: "_Grown") -> None:
    """Read to its end, while the memory of both APIs is looked at. By a client that has seen no
    commands: the relay stands still, so they are in no read model."""
    parent = client(state, Role.PARENT, PARENT, seen=SeenWrites())
    async with grown.watched(), parent:
        seen = 0
        async for record in parent.export_records(child_id):
            seen += record["kind"] == "event"
    if seen < events:
        raise click.ClickException(f"the export has {seen:,} events of {events:,}")


@dataclass(slots=True)
class _Others:
    """Seconds that commands about other children took."""

    waited: list[float] = field(default_factory=list)


@asynccontextmanager
async def _others(state: StackState) -> AsyncIterator[_Others]:
    """Somebody who changes other children all the time."""
    others = _Others()

    async def change() -> None:
        async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
            child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
            age = 6
            while True:
                age = 13 - age
                began = time.perf_counter()
                await parent.update_child_profile(child["child_id"], age=age)
                others.waited.append(time.perf_counter() - began)
                await asyncio.sleep(BETWEEN_SECONDS)

    task = asyncio.create_task(change())
    try:
        yield others
        if task.done():
            task.result()
    finally:
        task.cancel()


class _Grown:
    """How many megabytes both processes hold at most beyond what they held at first."""

    def __init__(self, command: int, query: int) -> None:
        self._command, self._query = psutil.Process(command), psutil.Process(query)
        self._first = _megabytes(self._command), _megabytes(self._query)
        self.of_command = self.of_query = 0.0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            self._look()

    async def _watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(OFTEN_SECONDS)

    def _look(self) -> None:
        command, query = self._first
        self.of_command = max(self.of_command, _megabytes(self._command) - command)
        self.of_query = max(self.of_query, _megabytes(self._query) - query)


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def _pid(state: StackState, name: str) -> int:
    return next(one.pid for one in state.processes if one.name == name)


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def _teddy(folder: StackFolder, *arguments: str) -> None:
    done = await teddy_process(folder, *arguments)
    if done.code != 0:
        raise click.ClickException(f"teddy {' '.join(arguments)}: {done.out}{done.err}")


def _p99(waited: list[float]) -> float:
    return quantiles(waited, n=100)[98] if len(waited) > 1 else sum(waited)


if __name__ == "__main__":
    main()
