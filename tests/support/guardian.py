"""Nothing outlives a run of the tests, however it ends: not by Ctrl-C, SIGTERM or SIGKILL.

All that a run starts inherits a mark in its environment. A guardian, which no signal to the run
reaches, waits for the end of the run and kills whatever still carries the mark.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

MARK = "TESTS_RUN_ID"


@contextmanager
def guarded(run_id: str) -> Iterator[None]:
    """Mark what is started within the block; what is left behind it is killed."""
    os.environ[MARK] = run_id
    guardian = subprocess.Popen(
        [sys.executable, "-m", "tests.support.guardian", run_id],
        stdin=subprocess.PIPE,  # closed by the system when this process ends
        start_new_session=True,
    )
    try:
        yield
    finally:
        del os.environ[MARK]
        guardian.communicate()


def marked(run_id: str) -> list[psutil.Process]:
    """The processes of a run, but for this one."""
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and _mark_of(process) == run_id
    ]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        mark: str | None = process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None
    return mark


def main(run_id: str) -> None:
    sys.stdin.buffer.read()
    # again and again: one of them may have been starting another
    while left := marked(run_id):
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)


if __name__ == "__main__":
    main(sys.argv[1])
