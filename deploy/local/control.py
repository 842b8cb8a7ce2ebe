"""Starts and stops a stack from outside, and reports its state."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deploy.local.process import runs
from deploy.local.readiness import (
    ANSWER_SECONDS,
    NO_REPORT,
    NotHealthy,
    SelfReport,
    cache_answers,
    kafka_answers,
    mongod_writable,
    service_ready,
)
from deploy.local.state import FAILED, PREPARING, READY, ProcessState, StackFolder, StackState

T = TypeVar("T")

PREPARE_SECONDS = 600.0
"""For downloads at the first start."""

UP_SECONDS = 150.0
DOWN_SECONDS = 90.0
LEFT_OVER_SECONDS = 15.0
KNOWN_SECONDS = 10.0
POLL_SECONDS = 0.1
CHECKS: dict[str, Callable[[str], Awaitable[SelfReport | None]]] = {
    "mongod": mongod_writable,
    "kafka": kafka_answers,
    "valkey": cache_answers,
}


PORT_TAKEN = "address already in use"
"""As MongoDB, Kafka and the services say it, in whatever case."""


class StackFailed(Exception):
    """The stack did not get up, or did not stop; the message says what happened."""


@dataclass(frozen=True, slots=True)
class ProcessReport:
    name: str
    pid: int
    address: str
    healthy: bool
    restarts: int
    own: SelfReport


def up(
    folder: StackFolder,
    *,
    servers_only: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> StackState:
    """Start a stack in the background, or find the one that runs; raises StackFailed.

    `progress` is called with what the stack downloads first. Where somebody else takes a port
    between the look at it and the start, it is begun again, once, with other ports.
    """
    try:
        state = _begun(folder, progress, servers_only=servers_only)
    except StackFailed as failed:
        if PORT_TAKEN not in str(failed).lower():
            raise
        state = _begun(folder, progress, servers_only=servers_only)
    if state.servers_only and not servers_only:
        raise StackFailed(f"only the servers run in {folder.path}; `teddy down` them first")
    return state


def _begun(
    folder: StackFolder, progress: Callable[[str], None], *, servers_only: bool
) -> StackState:
    if not folder.is_held():
        _spawn(folder, servers_only=servers_only)
    steps = _Preparation(progress)
    _wait(lambda: steps.are_over(_current(folder)), PREPARE_SECONDS, "the stack is not prepared")
    return _wait(lambda: _ready(folder), UP_SECONDS, "the stack did not start")


def down(folder: StackFolder) -> bool:
    """Stop the stack and whatever a crashed supervisor left behind; False when nothing ran."""
    ran = folder.is_held()
    if ran:
        supervisor = _wait(lambda: _supervisor(folder), KNOWN_SECONDS, "no supervisor is known")
        _signal(os.kill, supervisor, signal.SIGTERM)
        if not _happens(lambda: not folder.is_held(), DOWN_SECONDS):
            _signal(os.kill, supervisor, signal.SIGKILL)
    state = folder.load()
    left = [process for process in (state.processes if state else []) if _is_alive(process)]
    for process in left:
        _signal(os.killpg, process.pid, signal.SIGTERM)
    _happens(lambda: not any(map(_is_alive, left)), LEFT_OVER_SECONDS)
    for process in filter(_is_alive, left):
        _signal(os.killpg, process.pid, signal.SIGKILL)
    return ran or bool(left)


async def report(state: StackState) -> list[ProcessReport]:
    """The state of each process, as it reports itself."""
    return list(await asyncio.gather(*(_report(process) for process in state.processes)))


def warnings_of(reports: Sequence[ProcessReport]) -> list[str]:
    """What an operator should look into, one line each."""
    return [f"{one.name}: {warning}" for one in reports for warning in one.own.warnings]


async def _report(process: ProcessState) -> ProcessReport:
    check = CHECKS.get(process.name, service_ready)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            own = await check(process.address) or NO_REPORT
    except NotHealthy as refusal:
        healthy, own = False, refusal.report
    except Exception:  # noqa: BLE001 - whatever it raises, the process is not well
        healthy, own = False, NO_REPORT
    else:
        healthy = _is_alive(process)
    return ProcessReport(process.name, process.pid, process.address, healthy, process.restarts, own)


def _spawn(folder: StackFolder, *, servers_only: bool) -> None:
    """Start a supervisor in a session of its own, which outlives this process."""
    command = [sys.executable, "-m", "deploy.local", str(folder.path.absolute()), "--detach"]
    if servers_only:
        command.append("--servers-only")
    spawned = subprocess.run(  # noqa: S603 - this project's own supervisor
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True
    )
    # another process may have been quicker: its stack serves as well
    if spawned.returncode and not folder.is_held():
        raise StackFailed(spawned.stderr.strip() or "the supervisor exited without a message")


class _Preparation:
    """Passes on each step that a stack reports while it prepares, once."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._last = ""

    def are_over(self, state: StackState | None) -> bool | None:
        if state is None:
            return None
        if state.status != PREPARING:
            return True
        if state.detail not in ("", self._last):
            self._progress(state.detail)
            self._last = state.detail
        return None


def _ready(folder: StackFolder) -> StackState | None:
    """The state once all is ready, None until then; raises StackFailed when it will not be."""
    state = _current(folder)
    return state if state is not None and state.status == READY else None


def _current(folder: StackFolder) -> StackState | None:
    """What the supervisor that runs says, None until it does; raises StackFailed when it ended."""
    held = folder.is_held()  # asked first: a supervisor writes its last state before it lets go
    state = folder.load()
    if not held:
        failed = state is not None and state.status == FAILED
        raise StackFailed(
            state.detail if state and failed else _tail(folder.logs / "supervisor.log")
        )
    ours = state is not None and runs(state.supervisor_pid, state.supervisor_created)
    return state if ours else None


def _supervisor(folder: StackFolder) -> int | None:
    """The pid of the supervisor, None until it is known; 0 once there is none."""
    if not folder.is_held():
        return 0
    state = folder.load()
    known = state is not None and runs(state.supervisor_pid, state.supervisor_created)
    return state.supervisor_pid if state is not None and known else None


def _signal(send: Callable[[int, int], None], pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended meanwhile; pid 0 is no process."""
    if pid > 0:
        with contextlib.suppress(ProcessLookupError):
            send(pid, number)


def _wait(found: Callable[[], T | None], seconds: float, otherwise: str) -> T:
    """What `found` gives as soon as it gives something; raises StackFailed after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = found()
        if result is not None:
            return result
        time.sleep(POLL_SECONDS)
    raise StackFailed(f"{otherwise} in {seconds:.0f} s")


def _happens(condition: Callable[[], bool], seconds: float) -> bool:
    try:
        return _wait(lambda: condition() or None, seconds, "timed out")
    except StackFailed:
        return False


def _is_alive(process: ProcessState) -> bool:
    return runs(process.pid, process.created)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
    return "\n".join(lines) or "the supervisor exited without a message"
