"""A supervisor whose disk is full. The limit on the size of files stands for the disk: to whoever
writes, both are an OSError, and the limit needs no rights and no file system of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from deploy.local import process
from deploy.local.process import ProcessPlan, Unwatched, created_at
from deploy.local.state import FAILED, READY, ProcessState, StackFolder
from deploy.local.supervisor import Supervisor
from tests.support.waiting import until

FOREVER = "import time\nwhile True: time.sleep(60)"
LIMIT = 16_384
SUPERVISED = f"""
import resource
import sys
from deploy.local import __main__ as started
from deploy.local import process
from tests.unit.deploy.test_full_disk import OfStandIns

resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))
process.FIRST_PAUSE_SECONDS = process.LONGEST_PAUSE_SECONDS = 0.05
started.Supervisor = OfStandIns
sys.exit(started.main([sys.argv[1], "--servers-only"]))
"""


async def at_once() -> None:
    """Ready as soon as it runs."""


class OfStandIns(Supervisor):
    """MongoDB is a process that does nothing; Kafka and its topics are left out."""

    def _mongod_plans(self) -> list[ProcessPlan]:
        return [
            ProcessPlan(
                name="mongod",
                command=(sys.executable, "-c", FOREVER),
                address="127.0.0.1:1",
                log=self._folder.logs / "mongod.log",
                ready=at_once,
            )
        ]

    async def _broker_plans(self) -> list[ProcessPlan]:
        return []

    async def _apply_topics(self, *_: object) -> None:
        """There is no Kafka."""


@pytest.fixture
def supervisor(folder: StackFolder) -> Iterator["subprocess.Popen[bytes]"]:
    """As `teddy up` starts it, with its output in the log; no file of it grows over LIMIT bytes."""
    log = folder.logs / "supervisor.log"
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [sys.executable, "-c", SUPERVISED, str(folder.path)], stdout=output, stderr=output
        ) as running,
    ):
        yield running
        running.kill()


def mongod(folder: StackFolder) -> ProcessState | None:
    state = folder.load()
    ready = state is not None and state.status == READY
    return state.processes[0] if state is not None and ready and state.processes else None


def the_other_one(folder: StackFolder, before: int) -> Callable[[], bool]:
    def known() -> bool:
        now = mongod(folder)
        return now is not None and now.pid != before and created_at(now.pid) > 0

    return known


async def test_a_supervisor_whose_log_is_full_restarts_what_dies(
    folder: StackFolder, supervisor: "subprocess.Popen[bytes]"
):
    # given a running stack, and no byte more for the supervisor's log
    await until(lambda: mongod(folder) is not None, 30)
    log = folder.logs / "supervisor.log"
    with log.open("ab") as rest:
        rest.write(b"." * (LIMIT - log.stat().st_size))

    # when its server is killed twice
    for _ in range(2):
        before = mongod(folder)
        assert before is not None
        os.kill(before.pid, signal.SIGKILL)
        await until(the_other_one(folder, before.pid), 30)

    # then it was restarted twice, nothing was said, and the stack can be stopped
    now = mongod(folder)
    assert now is not None
    assert (now.restarts, log.stat().st_size) == (2, LIMIT)
    supervisor.send_signal(signal.SIGTERM)
    supervisor.wait(30)
    assert not psutil.pid_exists(now.pid)


async def test_a_state_that_cannot_be_saved_is_saved_once_it_can_be(
    folder: StackFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # given a running stack whose state cannot be written any more
    monkeypatch.setattr(process, "FIRST_PAUSE_SECONDS", 0.05)
    said = ""

    def is_said(what: str) -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return what in said

    supervisor, stop = started(folder)
    await until(lambda: mongod(folder) is not None)
    first = mongod(folder)
    assert first is not None
    in_the_way = folder.state_file.with_suffix(".new")
    in_the_way.mkdir()

    # when its server dies and is restarted, and then there is room again
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: is_said("mongod is ready again"))
    assert mongod(folder) == first
    in_the_way.rmdir()

    # then the state says so, and why it was late was told once
    await until(the_other_one(folder, first.pid))
    assert said.count("cannot be written, tried again") == 1
    stop.set()
    await supervisor


async def test_a_watcher_that_dies_ends_the_stack(
    folder: StackFolder, monkeypatch: pytest.MonkeyPatch
):
    # given a watcher that will fail as nothing foresaw
    async def broken(_: process.SupervisedProcess) -> None:
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr(process.SupervisedProcess, "_keep_alive", broken)

    before = psutil.Process().children()

    # when
    supervisor, _ = started(folder)
    with pytest.raises(Unwatched, match=r"mongod is no longer monitored \(RuntimeError: nobody"):
        await supervisor

    # then the reason is in the state, and nothing is left
    state = folder.load()
    assert state is not None
    assert (state.status, state.processes) == (FAILED, [])
    assert "nobody foresaw it" in state.detail
    assert psutil.Process().children() == before


def started(folder: StackFolder) -> tuple["asyncio.Task[None]", asyncio.Event]:
    """A supervisor of stand-ins in this process, and what stops it."""
    stop = asyncio.Event()
    return asyncio.create_task(OfStandIns(folder, servers_only=True).run(stop)), stop
