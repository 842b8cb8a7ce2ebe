"""A running stack under load, with everything that a case needs to inject faults."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2

from deploy.local import control
from deploy.local.plans import MONGO_URLS, SERVICES
from deploy.local.readiness import mongo_url, service_ready
from deploy.local.state import ProcessState, StackFolder, StackState
from projection_worker.session import Stores
from shared.auth.access import Role
from shared.fault_points import FaultPoint, arm
from tests.faults.history import History
from tests.support.callers import token
from tests.support.ports import free_port
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.waiting import eventually, until

STRIKE_SECONDS = 30.0
RECOVER_SECONDS = 60.0
INSTANCE = "TEDDY_WORKER_INSTANCE_ID"


class EndedBadly(Exception):
    """A process that was asked to end did so with an error."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A process that a case started beside the stack's own."""

    process: asyncio.subprocess.Process
    url: str


@dataclass
class World:
    """`chance` is seeded: the same case and seed choose the same. `run` is in all names that the
    load makes up. `away_seconds`: how long a server that goes away stays away. `parents`: by child,
    of those that the load has registered so far."""

    folder: StackFolder
    on: Stores
    history: History
    chance: random.Random
    run: str
    away_seconds: float
    parents: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> StackState:
        state = self.folder.load()
        assert state is not None
        return state

    def process(self, name: str) -> ProcessState:
        return next(one for one in self.state.processes if one.name == name)

    async def kill(self, name: str) -> None:
        """SIGKILL, then wait until its supervisor has it running again."""
        before = self.process(name)
        os.kill(before.pid, signal.SIGKILL)
        await self.is_back(before)

    async def end(self, name: str) -> None:
        """SIGTERM, and the same. It has to end with exit code 0."""
        before, log = self.process(name), self.folder.logs / "supervisor.log"
        reported = len(log.read_text())
        os.kill(before.pid, signal.SIGTERM)
        await self.is_back(before)
        codes = re.findall(rf"^{name} ended with code (\S+);", log.read_text()[reported:], re.M)
        if codes[:1] != ["0"]:
            raise EndedBadly(f"{name} ended with {codes}")

    async def is_back(self, before: ProcessState) -> None:
        """Until another process than `before` runs under its name and is ready."""
        await until(lambda: self.process(before.name).pid != before.pid, RECOVER_SECONDS)
        await self.is_well(before.name)

    async def is_well(self, name: str) -> None:
        await eventually(partial(_well, self, name), RECOVER_SECONDS)

    @contextmanager
    def frozen(self, name: str) -> Iterator[ProcessState]:
        """The process stands still as long as the block."""
        process = self.process(name)
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield process
        finally:
            os.kill(process.pid, signal.SIGCONT)

    async def injects(
        self, point: FaultPoint, number: signal.Signals = signal.SIGKILL, name: str | None = None
    ) -> None:
        """Arm `point` and wait until a process got there; killed ones are waited for again."""
        owner = name or point.partition("-")[0]
        before = self.process(owner)
        arm(self.fault_folder, point, number)
        await until(lambda: not (self.fault_folder / point).exists(), STRIKE_SECONDS)
        if number == signal.SIGKILL:
            await self.is_back(before)

    def as_parent(self, parent: str, url: str | None = None) -> httpx2.AsyncClient:
        """A client of the command API, or of another one at `url`, that the history notes."""
        return self.history.client(
            base_url=url or self.state.environment["TEDDY_COMMAND_URL"],
            headers={"Authorization": f"Bearer {token(self.state, Role.PARENT, parent)}"},
        )

    @property
    def bootstrap(self) -> str:
        return self.state.environment["TEDDY_KAFKA_BOOTSTRAP"]

    @property
    def fault_folder(self) -> Path:
        return self.folder.path / "faults"

    @asynccontextmanager
    async def another(self, name: str, **variables: str) -> AsyncIterator[Beside]:
        """A second process of this name beside the stack's own; ended behind the block."""
        port = free_port()
        environment = {**os.environ, **self.state.environment}
        environment.pop(INSTANCE, None)  # so that it leaves its group when it ends
        environment |= {f"TEDDY_{name.upper()}_PORT": str(port), **variables}
        with (self.folder.logs / f"another-{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", SERVICES[name], env=environment, stdout=log, stderr=log
            )
        try:
            url = f"http://127.0.0.1:{port}"
            await eventually(partial(_answers, url), RECOVER_SECONDS)
            yield Beside(process, url)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
            await process.wait()

    @asynccontextmanager
    async def way_to_the_store(self) -> AsyncIterator[tuple[TcpProxy, dict[str, str]]]:
        """A way to MongoDB that can be disturbed, and the settings of who goes it."""
        host, _, port = self.process("mongod").address.partition(":")
        async with tcp_proxy(host, int(port)) as proxy:
            url = mongo_url(f"{host}:{proxy.port}")
            yield proxy, dict.fromkeys(MONGO_URLS, url)

    async def projects(self, worker: Beside) -> bool:
        """Whether it has projected anything."""
        return await _shows(worker.url, r"teddy_events_projected_total [1-9]")

    async def leading_relay(self, beside: Beside) -> str:
        """The address of the one of both that leads, as soon as one says so."""
        urls = (f"http://{self.process('relay').address}", beside.url)

        async def one_leads() -> bool:
            return any([await _leads(url) for url in urls])

        await eventually(one_leads, STRIKE_SECONDS)
        return urls[0] if await _leads(urls[0]) else urls[1]

    async def fencing(self) -> int:
        """The number of the lease that the leading relay holds, or held last."""
        lease = await self.on.commits["leases"].find_one({"_id": "relay"})
        return 0 if lease is None else int(lease["fencing"])

    async def led_anew(self, fencing: int) -> None:
        """Until a relay leads with a newer lease than `fencing`."""
        await eventually(self.fencing, STRIKE_SECONDS, lambda now: now > fencing)

    async def hand_over_the_lead(self, beside: Beside) -> None:
        """From the stack's relay to the one beside it."""
        while await self.leading_relay(beside) != beside.url:
            with self.frozen("relay"):
                await eventually(lambda: _leads(beside.url), STRIKE_SECONDS)
            await self.is_well("relay")

    def starts_teddy(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """The `teddy` command in the background; its output goes to a log of the stack."""
        command = [sys.executable, "-m", "deploy.cli", "--dir", str(self.folder.path), *arguments]
        with (self.folder.logs / "teddy.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)


async def _well(world: World, name: str) -> bool:
    check: Callable[..., object] = control.CHECKS.get(name, service_ready)
    try:
        await check(world.process(name).address)  # type: ignore[misc] # all checks are awaited
    except Exception:  # noqa: BLE001 - whatever it raises, it is not well yet
        return False
    return True


async def _leads(url: str) -> bool:
    return await _shows(url, r"teddy_relay_leader 1")


async def _shows(url: str, metric: str) -> bool:
    try:
        async with httpx2.AsyncClient() as http:
            metrics = (await http.get(f"{url}/metrics")).text
    except httpx2.TransportError:
        return False
    return re.search(f"^{metric}", metrics, re.M) is not None


async def _answers(url: str) -> bool:
    """Alive counts: a second relay is ready only in so far as its servers are."""
    try:
        async with httpx2.AsyncClient() as http:
            return (await http.get(f"{url}/health/live")).status_code == 200
    except httpx2.TransportError:
        return False
