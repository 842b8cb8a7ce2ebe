"""A supervisor that is killed hard leaves nothing running."""

import os
import signal
import time
from pathlib import Path

import psutil

from deploy.local import control
from deploy.local.state import StackFolder


def test_after_a_hard_kill_no_process_of_the_stack_stays(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "stack")
    state = control.up(folder, servers_only=True)
    pids = [process.pid for process in state.processes]
    assert all(psutil.pid_exists(pid) for pid in pids)

    os.kill(state.supervisor_pid, signal.SIGKILL)
    control.down(folder)

    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)
    assert not folder.is_held()


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
