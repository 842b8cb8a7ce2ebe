"""A running stack under load, with everything that a case needs to hurt it."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2

from deploy.local import control
from deploy.local.readiness import service_ready
from deploy.local.state import ProcessState, StackFolder, StackState
from projection_worker.replay.opened import Opened
from shared.auth.principal import Role
from shared.fault_points import VARIABLE, FaultPoint, arm
from tests.faults.history import History
from tests.support.callers import token
from tests.support.ports import free_port
from tests.support.waiting import eventually, until

STRIKE_SECONDS = 30.0
RECOVER_SECONDS = 60.0
SHORT_TIMES = {
    "TEDDY_RELAY_LEASE_SECONDS": "3",
    "TEDDY_WORKER_SESSION_TIMEOUT_SECONDS": "6",
    "TEDDY_WORKER_STALL_SECONDS": "20",
    "TEDDY_LOG_LEVEL": "DEBUG",
}
"""So that take-overs take seconds, and the logs say as much as they ever do."""

INSTANCE = "TEDDY_WORKER_INSTANCE_ID"
MODULES = {"relay": "command_service.relay", "worker": "projection_worker"}


@dataclass
class World:
    """`chance` is seeded: the same case and seed choose the same. `parents`: by child, of those
    that the load has registered so far."""

    folder: StackFolder
    on: Opened
    history: History
    chance: random.Random
    parents: dict[str, str]

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
        """SIGTERM, and the same."""
        before = self.process(name)
        os.kill(before.pid, signal.SIGTERM)
        await self.is_back(before)

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

    async def strikes(
        self, point: FaultPoint, number: signal.Signals = signal.SIGKILL, name: str | None = None
    ) -> None:
        """Arm `point` and wait until a process got there; killed ones are waited for again."""
        owner = name or point.partition("-")[0]
        before = self.process(owner)
        arm(self.fault_folder, point, number)
        await until(lambda: not (self.fault_folder / point).exists(), STRIKE_SECONDS)
        if number == signal.SIGKILL:
            await self.is_back(before)

    def as_parent(self, parent: str) -> httpx2.AsyncClient:
        """A client of the command API whose answers are part of the history."""
        return httpx2.AsyncClient(
            base_url=self.state.environment["TEDDY_COMMAND_URL"],
            headers={"Authorization": f"Bearer {token(self.state, Role.PARENT, parent)}"},
            timeout=30.0,
            event_hooks={"response": [self.history.note]},
        )

    @property
    def fault_folder(self) -> Path:
        return self.folder.path / "faults"

    @asynccontextmanager
    async def another(
        self, name: str, **variables: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """A second relay or worker beside the stack's own, ready; ended behind the block."""
        port = free_port()
        environment = {**os.environ, **self.state.environment}
        environment.pop(INSTANCE, None)  # so that it leaves its group when it ends
        environment |= {f"TEDDY_{name.upper()}_PORT": str(port), **variables}
        with (self.folder.logs / f"another-{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", MODULES[name], env=environment, stdout=log, stderr=log
            )
        try:
            await eventually(partial(_answers, f"127.0.0.1:{port}"), RECOVER_SECONDS)
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
            await process.wait()

    async def teddy(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The `teddy` command against this stack."""
        command = [sys.executable, "-m", "deploy.cli", "--dir", str(self.folder.path), *arguments]
        run = partial(subprocess.run, capture_output=True, text=True, check=False)
        return await asyncio.to_thread(run, command)

    def starts_teddy(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """The same, in the background; its output goes to a log of the stack."""
        command = [sys.executable, "-m", "deploy.cli", "--dir", str(self.folder.path), *arguments]
        with (self.folder.logs / "teddy.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)


@contextmanager
def stack_for_faults(path: Path) -> Iterator[StackFolder]:
    """A stack whose processes know the fault points, with short times; stopped behind the block."""
    folder = StackFolder(path)
    (path / "faults").mkdir(parents=True)
    added = {**SHORT_TIMES, VARIABLE: str(path / "faults")}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        control.up(folder)
        yield folder
    finally:
        control.down(folder)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


async def _well(world: World, name: str) -> bool:
    check: Callable[..., object] = control.CHECKS.get(name, service_ready)
    try:
        await check(world.process(name).address)  # type: ignore[misc] # all checks are awaited
    except Exception:  # noqa: BLE001 - whatever it raises, it is not well yet
        return False
    return True


async def _answers(address: str) -> bool:
    """Alive counts: a second relay is ready only in so far as its servers are."""
    try:
        async with httpx2.AsyncClient() as http:
            return (await http.get(f"http://{address}/health/live")).status_code == 200
    except httpx2.TransportError:
        return False
