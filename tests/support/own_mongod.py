"""A mongod of a test's own, which it may freeze, kill and start again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from deploy.local.plans import free_port, mongod_plan
from deploy.local.process import ProcessPlan
from deploy.local.readiness import NotWritableYet, mongo_url
from deploy.local.state import StackFolder
from tests.support.waiting import eventually

READY_SECONDS = 60.0


class OwnMongod:
    """Its data outlive its end: started again, it has what it confirmed."""

    def __init__(self, plan: ProcessPlan) -> None:
        self._plan = plan
        self.address = plan.address
        self.url = mongo_url(plan.address)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once it is a writable primary."""
        await self.start_empty()
        await eventually(self._is_writable, READY_SECONDS)

    async def start_empty(self) -> None:
        """Returns at once; it belongs to no replica set until one takes it."""
        self.process = await asyncio.create_subprocess_exec(
            *self._plan.command, stdout=asyncio.subprocess.DEVNULL
        )

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

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

    async def _is_writable(self) -> bool:
        try:
            await self._plan.ready()
        except (OSError, NotWritableYet):
            return False
        return True

    def _send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@asynccontextmanager
async def own_mongod(folder: Path) -> AsyncIterator[OwnMongod]:
    """Runs as long as the block; its data lie in `folder`."""
    mongod = OwnMongod(mongod_plan(StackFolder(folder), free_port(None)))
    try:
        await mongod.start()
        yield mongod
    finally:
        await mongod.kill()
