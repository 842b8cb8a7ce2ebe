"""Servers and stacks of a test's own, which it may freeze, stop, kill and start again; their data
lie in the folder that it names."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pymongo

from deploy.local import control
from deploy.local.apache_kafka.node import Node
from deploy.local.brokers import choose_broker
from deploy.local.plans import cache_plan, free_port, mongod_plan
from deploy.local.process import ProcessPlan, end_of_log, end_with_parent
from deploy.local.readiness import mongo_url
from deploy.local.settings import LocalStackSettings
from deploy.local.state import StackFolder, StackState
from tests.support.waiting import eventually, until

READY_SECONDS = 60.0
SECONDARY = 2


class OwnServer:
    """Its data outlive its end: started again, it has what it confirmed."""

    def __init__(self, plan: ProcessPlan) -> None:
        self._plan = plan
        self.address = plan.address
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once it does its work."""
        await self.spawn()
        await eventually(self._is_ready, READY_SECONDS)

    async def spawn(self) -> None:
        """Returns at once: whether it does its work is left to the caller."""
        if self._plan.prepare is not None:
            await self._plan.prepare()
        self._plan.log.parent.mkdir(parents=True, exist_ok=True)
        with self._plan.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._plan.command,
                cwd=self._plan.cwd,
                env={**os.environ, **self._plan.environment},
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )

    async def stop(self) -> None:
        """SIGTERM: it ends in order."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Frozen as long as the block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def freeze(self) -> None:
        """It takes connections and bytes, and answers nothing, from this call's return on.

        A signal that was sent is not yet one that was heard: until its last thread stands still,
        milliseconds later on a busy machine, a server goes on to answer.
        """
        self._send(signal.SIGSTOP)
        assert self.process is not None
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    async def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, end_of_log(self._plan, "ended")
        with suppress(Exception):  # whatever it raises, it is not ready yet
            await self._plan.ready()
            return True
        return False

    async def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self._send(number)
            await asyncio.wait_for(self.process.wait(), self._plan.grace_seconds)

    def _send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


class OwnMongod(OwnServer):
    """A writable primary once it is started."""

    def __init__(self, plan: ProcessPlan) -> None:
        super().__init__(plan)
        self.url = mongo_url(plan.address)


@asynccontextmanager
async def own_mongod(folder: Path, *options: str) -> AsyncIterator[OwnMongod]:
    """Runs as long as the block, with `options` beside the usual ones."""
    plan = mongod_plan(StackFolder(folder), free_port(None))
    mongod = OwnMongod(replace(plan, command=(*plan.command, *options)))
    try:
        await mongod.start()
        yield mongod
    finally:
        await mongod.kill()


@dataclass(frozen=True, slots=True)
class ReplicaPair:
    """A primary and a secondary. While the secondary is frozen, no write has a majority."""

    url: str
    secondary: OwnMongod


@asynccontextmanager
async def replica_pair(folder: Path) -> AsyncIterator[ReplicaPair]:
    """Runs as long as the block."""
    secondary = OwnMongod(mongod_plan(StackFolder(folder / "secondary"), free_port(None)))
    async with own_mongod(folder / "primary") as primary:
        try:
            await secondary.spawn()
            with pymongo.MongoClient[dict[str, Any]](primary.url) as client:
                await asyncio.to_thread(_add, client, secondary.address)
                await until(lambda: _state(client) == SECONDARY, READY_SECONDS)
            yield ReplicaPair(primary.url, secondary)
        finally:
            await secondary.kill()


def _add(client: pymongo.MongoClient[dict[str, Any]], address: str) -> None:
    config = client.admin.command("replSetGetConfig")["config"]
    # it never leads: a test that freezes it knows who does
    config["members"].append({"_id": 1, "host": address, "priority": 0})
    config["version"] += 1
    client.admin.command("replSetReconfig", config)


def _state(client: pymongo.MongoClient[dict[str, Any]]) -> int:
    members = client.admin.command("replSetGetStatus")["members"]
    return next(int(member["state"]) for member in members if member["_id"] == 1)


@asynccontextmanager
async def own_kafka(path: Path) -> AsyncIterator[OwnServer]:
    """The one that the local stack runs, as long as the block, without topics."""
    folder = StackFolder(path)
    folder.create()
    port = free_port(None)
    node = Node(1, port, free_port(None, taken=[port]))
    broker = await choose_broker(LocalStackSettings(), print)
    kafka = OwnServer(broker.plan(folder, node, _nothing_to_restore))
    try:
        await kafka.start()
        yield kafka
    finally:
        await kafka.kill()


async def _nothing_to_restore() -> None:
    """Nobody restarts it but the test."""


@asynccontextmanager
async def own_valkey(path: Path) -> AsyncIterator[OwnServer]:
    """Of Redis' protocol; runs as long as the block, and keeps nothing on disk."""
    folder = StackFolder(path)
    folder.create()
    server = OwnServer(cache_plan(folder, free_port(None)))
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


@contextmanager
def own_stack(path: Path) -> Iterator[StackFolder]:
    """As `teddy up` starts it in `path`; stopped at the end."""
    folder = StackFolder(path)
    control.up(folder)
    yield folder
    control.down(folder)


def state_of(folder: StackFolder) -> StackState:
    """As it is now."""
    state = folder.load()
    assert state is not None
    return state
