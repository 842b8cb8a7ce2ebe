"""One supervised process: started in its own group, restarted when it dies, stopped in order."""

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import psutil

from deploy.local.state import ProcessState


def say(what: object, to: TextIO | None = None) -> None:
    """One line, at once, on standard output unless `to` says else. On a full disk it waits in the
    buffer for the next one, and the caller continues."""
    with contextlib.suppress(OSError):
        print(what, file=to or sys.stdout, flush=True)


@dataclass(frozen=True, slots=True)
class Ended:
    """`said`: the last line on standard error, or on standard output where that is empty."""

    code: int
    said: str


async def run_tool(command: Sequence[str], seconds: float, cwd: Path | None = None) -> Ended:
    """Run `command`; it ends when this process ends or is cancelled. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=end_with_parent,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    lines = [line for line in (err or out).decode(errors="replace").splitlines() if line.strip()]
    return Ended(process.returncode or 0, lines[-1].strip() if lines else "")


def package_folders(package: str) -> list[Path]:
    """Where `package` is installed; it is not imported."""
    spec = importlib.util.find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)  # loaded before any fork: loading takes locks that a child may find held
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
POLL_SECONDS = 0.1
SAME_START_SECONDS = 1.0


class NotReady(Exception):
    """A process ended or did not answer in time; the message has the end of its log."""


class Unwatched(Exception):
    """A process would not be restarted any more; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """How to start a process and how to check that it does its work.

    `prepare` runs before each start. `ready` returns when the process answers and raises until
    then. `restarted` runs whenever it answers again after a restart. `cwd` exists once it is
    prepared.
    """

    name: str
    command: tuple[str, ...]
    address: str
    log: Path
    ready: Callable[[], Awaitable[object]]
    prepare: Callable[[], Awaitable[object]] | None = None
    restarted: Callable[[], Awaitable[object]] | None = None
    cwd: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_seconds: float = 60.0
    grace_seconds: float = 15.0


class SupervisedProcess:
    def __init__(self, plan: ProcessPlan, changed: Callable[[], None]) -> None:
        self.plan = plan
        self.state = ProcessState(plan.name, plan.address)
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start and wait until it is ready; raises NotReady."""
        await self._spawn()
        await self._wait_until_ready()
        self._watching = asyncio.create_task(self._keep_alive())

    async def unwatched(self) -> None:
        """Raises Unwatched when the watching of a started process ends, which it never should."""
        assert self._watching is not None
        await asyncio.wait({self._watching})
        error = None if self._watching.cancelled() else self._watching.exception()
        reason = f"{type(error).__name__}: {error}" if error else "its monitoring task ended"
        raise Unwatched(f"{self.plan.name} is no longer monitored ({reason})") from error

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL to the whole group once the grace is over."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})  # a watcher that failed keeps nothing from ending
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal_group(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.plan.grace_seconds)
        except TimeoutError:
            say(f"{self.plan.name} did not stop in {self.plan.grace_seconds:.0f} s: killed")
        self._signal_group(signal.SIGKILL)
        await process.wait()

    async def _spawn(self) -> None:
        if self.plan.prepare is not None:
            await self.plan.prepare()
        with self.plan.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.plan.command,
                cwd=self.plan.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.plan.environment},
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self.state.pid = self._process.pid
        self.state.created = created_at(self._process.pid)
        self._changed()

    async def _wait_until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + self.plan.ready_seconds
        reason = "it has not answered"
        while asyncio.get_running_loop().time() < deadline:
            assert self._process is not None
            if self._process.returncode is not None:
                raise NotReady(end_of_log(self.plan, f"ended with code {self._process.returncode}"))
            try:
                await self.plan.ready()
            except Exception as error:  # noqa: BLE001 - whatever it raises, it is not ready yet
                reason = f"{type(error).__name__}: {error}"
                await asyncio.sleep(POLL_SECONDS)
            else:
                return
        raise NotReady(
            end_of_log(self.plan, f"not ready in {self.plan.ready_seconds:.0f} s ({reason})")
        )

    async def _keep_alive(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None
            started = loop.time()
            code = await self._process.wait()
            self._signal_group(signal.SIGKILL)
            if loop.time() - started > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            say(f"{self.plan.name} ended with code {code}; restarting in {pause:.1f} s")
            self.state.restarts += 1
            self._changed()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            await self._start_again()

    async def _start_again(self) -> None:
        """What goes wrong is printed and not raised: the process stays supervised."""
        try:
            await self._spawn()
            await self._wait_until_ready()
            if self.plan.restarted is not None:
                await self.plan.restarted()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round tries again
            say(f"{self.plan.name}: {error}")
        else:
            say(f"{self.plan.name} is ready again, pid {self.state.pid}")

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.state.pid, number)


def end_of_log(plan: ProcessPlan, what: str) -> str:
    """What happened to a process, and the last lines that it wrote."""
    lines = plan.log.read_text(errors="replace").splitlines()[-12:]
    return "\n".join([f"{plan.name} {what}; the end of {plan.log}:", *lines])


def created_at(pid: int) -> float:
    """When the process started, seconds since the epoch; 0.0 when it is gone."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def runs(pid: int, created: float) -> bool:
    """Whether this very process runs: not ended, and not another one that was given its pid."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < SAME_START_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """In the child: be sent this signal when the parent dies, however it dies (Linux)."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, number)
