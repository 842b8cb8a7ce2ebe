"""Starts and stops a stack from outside, and tells how it does."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx2
import psutil

from deploy.local.plans import SERVICES
from deploy.local.process import created_at
from deploy.local.state import FAILED, READY, ProcessState, StackFolder, StackState

T = TypeVar("T")

UP_SECONDS = 150.0
DOWN_SECONDS = 60.0
POLL_SECONDS = 0.1


class StackFailed(Exception):
    """The stack did not get up, or did not stop; the message says what happened."""


@dataclass(frozen=True, slots=True)
class ProcessReport:
    name: str
    pid: int
    address: str
    healthy: bool
    restarts: int
    lag: str


def up(folder: StackFolder, *, servers_only: bool = False) -> StackState:
    """Start a stack in the background, or find the one that runs; raises StackFailed."""
    supervisor = None if folder.is_held() else _spawn(folder, servers_only=servers_only)

    def settled() -> StackState | None:
        state = folder.load()
        ours = state is not None and supervisor in (None, state.supervisor_pid)
        if state is not None and ours and state.status == READY:
            return state
        if supervisor is None or _runs(supervisor):
            return None
        failed = state is not None and ours and state.status == FAILED
        raise StackFailed(
            state.detail if state and failed else _tail(folder.logs / "supervisor.log")
        )

    return _wait(settled, UP_SECONDS, "the stack did not get up")


def down(folder: StackFolder) -> bool:
    """Stop the stack and whatever a crashed supervisor left behind; False when nothing ran."""
    state = folder.load()
    if state is None:
        return False
    ran = folder.is_held()
    if ran:
        os.kill(state.supervisor_pid, signal.SIGTERM)
        _wait(lambda: not folder.is_held() or None, DOWN_SECONDS, "the stack did not stop")
    left = [process for process in state.processes if _is_alive(process)]
    for process in left:
        os.killpg(process.pid, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(_handles(left), timeout=15)
    for handle in stubborn:
        handle.kill()
    return ran or bool(left)


async def report(state: StackState) -> list[ProcessReport]:
    """How each process does; services are asked themselves."""
    return list(await asyncio.gather(*(_report(process) for process in state.processes)))


async def _report(process: ProcessState) -> ProcessReport:
    healthy, lag = _is_alive(process), ""
    if process.name in SERVICES:
        healthy, lag = await _ask(process.address)
    return ProcessReport(process.name, process.pid, process.address, healthy, process.restarts, lag)


async def _ask(address: str) -> tuple[bool, str]:
    try:
        async with httpx2.AsyncClient(timeout=3.0) as client:
            answer = await client.get(f"http://{address}/health/ready")
    except httpx2.HTTPError:
        return False, ""
    lag = answer.json().get("lag")
    shown = f"{lag['events']} events, {lag['seconds']:.1f} s" if lag else ""
    return answer.status_code == httpx2.codes.OK, shown


def _spawn(folder: StackFolder, *, servers_only: bool) -> int:
    """The pid of a new supervisor, which is nobody's child and outlives this process."""
    command = [sys.executable, "-m", "deploy.local", str(folder.path.absolute()), "--detach"]
    if servers_only:
        command.append("--servers-only")
    spawned = subprocess.run(  # noqa: S603 - this project's own supervisor
        command, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True
    )
    return int(spawned.stdout)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait(found: Callable[[], T | None], seconds: float, otherwise: str) -> T:
    """What `found` gives as soon as it gives something; raises StackFailed after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = found()
        if result is not None:
            return result
        time.sleep(POLL_SECONDS)
    raise StackFailed(f"{otherwise} in {seconds:.0f} s")


def _is_alive(process: ProcessState) -> bool:
    """Whether this very process runs, not another one that was given its pid."""
    return process.pid > 0 and abs(created_at(process.pid) - process.created) < 1.0


def _handles(processes: list[ProcessState]) -> list[psutil.Process]:
    return [psutil.Process(p.pid) for p in processes if _is_alive(p)]


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
    return "\n".join(lines) or "the supervisor ended without a word"
