"""A run of the tests that is killed leaves nothing behind."""

import asyncio
import os
import signal
import sys

import psutil
import pytest

from shared.clock import new_id
from tests.support.guardian import MARK, marked
from tests.support.waiting import until

RUN = """
import subprocess, sys, time
from tests.support.guardian import guarded
with guarded(sys.argv[1]):
    FOREVER = [sys.executable, "-c", "import time\\nwhile True: time.sleep(60)"]
    for _ in range(2):
        subprocess.Popen(FOREVER, start_new_session=True)
    print("started", flush=True)
    {then}
"""


async def _run(then: str) -> tuple[asyncio.subprocess.Process, str]:
    """A run that has started two processes of a session of their own, and then does `then`."""
    run_id = new_id()
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN.replace("{then}", then), run_id),
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert run.stdout is not None
    assert await run.stdout.readline() == b"started\n"
    return run, run_id


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_run_that_is_ended_leaves_no_process(number: signal.Signals) -> None:
    run, run_id = await _run("time.sleep(600)")
    # its environment can be read a moment after a process was started
    await until(lambda: len(_servers(run_id)) == 2, 30)
    run.send_signal(number)
    await run.wait()
    await until(lambda: marked(run_id) == [], 30)


async def test_a_run_that_comes_to_its_end_leaves_none_either() -> None:
    run, run_id = await _run("pass")

    await run.wait()

    assert (run.returncode, marked(run_id)) == (0, [])


def _servers(run_id: str) -> list[psutil.Process]:
    return [one for one in marked(run_id) if "tests.support.guardian" not in one.cmdline()]
