"""`python -m tests.bench.batches`: commands a second in batches, beside the same commands one by
one and beside a hand-written endpoint, in turns on one local stack.

Each row: commands a second until the last answer, and what the processes spent on each command: of
the endpoint's own process, and of all processes with MongoDB and Kafka, until the read models have
everything.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
import httpx2
import orjson
import psutil
import pymongo
import uvloop
from rich.console import Console
from rich.table import Table

from deploy.local.state import StackState
from shared.auth.access import Principal, Role
from shared.clock import utc_now
from shared.event_store.commit_documents import COLLECTION
from shared.event_store.mongo import IN_A_STREAM
from tests.bench.other_tree import HERE, Stack, stack_of
from tests.support.batches import a_talk
from tests.support.consents import CONSENTS
from tests.support.ports import free_port
from tests.support.raw_http import request, send_all
from tests.support.waiting import eventually

BEARS, CONNECTIONS = 16, 32
CHILDREN = "children__g1"
PROJECTED_SECONDS = 300.0
WIDTH = 120
BY_HAND, SINGLY, IN_BATCHES = "hand-written endpoint", "one by one", "in batches"


@dataclass(frozen=True)
class Measured:
    """`rate`: commands a second. `own`, `all`: microseconds of CPU a command."""

    rate: float
    own: float
    all: float


@dataclass(frozen=True)
class Bear:
    child_id: str
    bearer: str


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--size", default=1_000, show_default=True, type=click.IntRange(3, 1_000))
@click.option("--batches", default=3, show_default=True, type=click.IntRange(1), help="A bear.")
def main(rounds: int, size: int, batches: int) -> None:
    """Batches of SIZE commands; a tenth as many one by one."""
    rows: dict[str, list[Measured]] = {BY_HAND: [], SINGLY: [], IN_BATCHES: []}
    with (
        TemporaryDirectory(prefix="teddy-batches-") as path,
        stack_of(HERE, Path(path)) as stack,
        _by_hand(stack.state) as (port, process),
    ):
        for number in range(rounds):
            work = _Round(stack, port, process, size, batches)
            for name, measured in uvloop.run(work.measured()).items():
                rows[name].append(measured)
                click.echo(f"round {number + 1}, {name}: {measured}", err=True)
    _print(rows)


class _Round:
    def __init__(
        self, stack: Stack, port: int, by_hand: psutil.Process, size: int, batches: int
    ) -> None:
        self._stack = stack
        self._port = port
        self._by_hand = by_hand
        self._size = size
        self._batches = batches
        pids = {each.name: each.pid for each in stack.state.processes}
        self._own = psutil.Process(pids["command"])
        self._all = [psutil.Process(pid) for pid in pids.values()]

    async def measured(self) -> dict[str, Measured]:
        bears = await self._registered()
        few = BEARS * self._batches * self._size // 10
        return {
            BY_HAND: await self._of(few, self._by_hand, lambda: self._send_by_hand(few)),
            SINGLY: await self._of(few, self._own, await self._singly(bears, few)),
            IN_BATCHES: await self._of(
                BEARS * self._batches * self._size, self._own, self._in_batches(bears)
            ),
        }

    async def _of(
        self, commands: int, own: psutil.Process, work: Callable[[], Awaitable[float]]
    ) -> Measured:
        processes = [own, *(each for each in self._all if each != own)]
        before = [_seconds(each) for each in processes]
        rate = commands / await work()
        await eventually(self._is_projected, PROJECTED_SECONDS)
        spent = [_seconds(each) - earlier for each, earlier in zip(processes, before, strict=True)]
        return Measured(rate, spent[0] / commands * 1e6, sum(spent) / commands * 1e6)

    async def _is_projected(self) -> bool:
        """Whether the read models have everything that the store has."""
        return await asyncio.to_thread(_is_projected, self._stack.state)

    async def _registered(self) -> list[Bear]:
        run = time.time_ns()
        bears = []
        parents = [f"parent-{run}-{number}" for number in range(BEARS)]
        registrations = [
            request("POST", "/v1/children", self._stack.parent_s_bearer(parent), _child(parent))
            for parent in parents
        ]
        answers = await send_all(self._stack.address("command"), registrations, 4)
        for parent, body in zip(parents, answers.bodies, strict=True):
            bear = Principal(f"bear-{parent}", Role.DEVICE)
            bearer = self._stack.issuer.issue(bear, utc_now(), timedelta(hours=1))
            bears.append(Bear(orjson.loads(body)["child_id"], bearer))
        return bears

    async def _send_by_hand(self, commands: int) -> float:
        body = orjson.dumps({"role": "bear", "word_count": 12})
        requests = [
            request("POST", f"/children/child-{number % BEARS}/messages", "-", body)
            for number in range(commands)
        ]
        return (await send_all(("127.0.0.1", self._port), requests, CONNECTIONS)).seconds

    async def _singly(self, bears: Sequence[Bear], commands: int) -> Callable[[], Awaitable[float]]:
        address = self._stack.address("command")
        starts = [
            request("POST", f"/v1/children/{bear.child_id}/conversations", bear.bearer, b"{}")
            for bear in bears
        ]
        talks = [
            orjson.loads(b)["conversation_id"] for b in (await send_all(address, starts, 4)).bodies
        ]
        body = orjson.dumps({"role": "bear", "word_count": 12})
        requests = [
            request(
                "POST",
                _messages(bears[n % BEARS].child_id, talks[n % BEARS]),
                bears[n % BEARS].bearer,
                body,
            )
            for n in range(commands)
        ]

        async def send() -> float:
            return (await send_all(address, requests, CONNECTIONS)).seconds

        return send

    def _in_batches(self, bears: Sequence[Bear]) -> Callable[[], Awaitable[float]]:
        address = self._stack.address("command")
        each_bear_s = [[_batch(bear, self._size) for _ in range(self._batches)] for bear in bears]

        async def send() -> float:
            began = time.perf_counter()
            answered = await asyncio.gather(*(send_all(address, one, 1) for one in each_bear_s))
            seconds = time.perf_counter() - began
            for body in (body for each in answered for body in each.bodies):
                if b'"problem"' in body:
                    raise click.ClickException(f"not executed: {body[:400]!r}")
            return seconds

        return send


def _messages(child_id: str, talk: str) -> str:
    return f"/v1/children/{child_id}/conversations/{talk}/messages"


def _batch(bear: Bear, size: int) -> bytes:
    commands = a_talk(bear.child_id, size - 2)
    return request("POST", "/v1/commands:batch", bear.bearer, orjson.dumps({"commands": commands}))


def _child(parent: str) -> bytes:
    bear = {"udid": f"udid-{parent}", "device_id": f"bear-{parent}"}
    return orjson.dumps({"name": "Mia", "age": 7, "consents": CONSENTS, **bear})


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _is_projected(state: StackState) -> bool:
    newest = {"$group": {"_id": "$child_id", "version": {"$max": "$first_version"}}}
    with pymongo.MongoClient[dict[str, Any]](state.environment["TEDDY_READ_MONGO_URL"]) as client:
        commits = client["teddy_write"][COLLECTION].aggregate([{"$match": IN_A_STREAM}, newest])
        stored = {each["_id"]: each["version"] for each in commits}
        shown = {each["_id"]: each["version"] for each in client["teddy_read"][CHILDREN].find()}
    return all(shown.get(child, 0) >= version for child, version in stored.items())


@contextmanager
def _by_hand(state: StackState) -> Iterator[tuple[int, psutil.Process]]:
    port = free_port()
    environment: Mapping[str, str] = {**os.environ, **state.environment}
    command = [sys.executable, "-m", "tests.bench.baselines.hand_written", str(port)]
    command.append(state.environment["TEDDY_KAFKA_BOOTSTRAP"])
    process = subprocess.Popen(command, env=environment, cwd=HERE)
    try:
        uvloop.run(eventually(lambda: _answers(port)))
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


async def _answers(port: int) -> bool:
    try:
        async with httpx2.AsyncClient() as http:
            return (await http.get(f"http://127.0.0.1:{port}/openapi.json")).is_success
    except httpx2.TransportError:
        return False


def _print(rows: Mapping[str, Sequence[Measured]]) -> None:
    table = Table(
        "commands", "a second", "times by hand", "µs of the endpoint", "µs of all processes"
    )
    by_hand = median(each.rate for each in rows[BY_HAND])
    for name, measured in rows.items():
        rates: Any = [each.rate for each in measured]
        table.add_row(
            name,
            f"{median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})",
            f"{median(rates) / by_hand:.2f}",
            f"{median(each.own for each in measured):,.0f}",
            f"{median(each.all for each in measured):,.0f}",
        )
    Console(width=WIDTH).print(table)


if __name__ == "__main__":
    main()
