"""A server of a test's own, which it may freeze, stop, kill and start again."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from deploy.local.process import ProcessPlan, end_of_log, end_with_parent
from tests.support.waiting import eventually

READY_SECONDS = 60.0


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
