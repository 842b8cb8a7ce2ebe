"""Real MongoDB and a real broker under a real supervisor: killed, started again, gone with it."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from deploy.local import control, plans
from deploy.local.state import ProcessState, StackFolder, StackState
from deploy.topics import apply_topics
from shared.kafka import ALL_TOPICS
from shared.mongo import Mongo
from tests.support.waiting import until

RESTART_SECONDS = 30.0


@pytest.fixture(autouse=True)
def no_servers_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*plans.MONGO_URLS, plans.KAFKA_BOOTSTRAP):
        monkeypatch.delenv(name, raising=False)


@pytest_asyncio.fixture
async def folder(tmp_path: Path) -> AsyncIterator[StackFolder]:
    folder = StackFolder(tmp_path / "stack")
    yield folder
    await asyncio.to_thread(control.down, folder)


async def up(folder: StackFolder) -> StackState:
    return await asyncio.to_thread(control.up, folder, servers_only=True)


def named(folder: StackFolder, name: str) -> ProcessState:
    state = folder.load()
    assert state is not None
    return next(process for process in state.processes if process.name == name)


async def killed_and_back(folder: StackFolder, name: str) -> None:
    os.kill(named(folder, name).pid, signal.SIGKILL)
    reported = folder.logs / "supervisor.log"
    await until(lambda: f"{name} is ready again" in reported.read_text(), RESTART_SECONDS)


async def test_two_who_start_the_same_stack_at_once_get_the_same_stack(folder: StackFolder) -> None:
    # when two start it at once, and one later
    first, second = await asyncio.gather(up(folder), up(folder))
    third = await up(folder)

    # then there is one supervisor
    assert first.supervisor_pid == second.supervisor_pid == third.supervisor_pid


async def test_what_a_stack_writes_is_nobody_elses_to_read(folder: StackFolder) -> None:
    # given a shell that lets everybody read what it makes
    before = os.umask(0o000)
    try:
        # when
        await up(folder)
    finally:
        os.umask(before)
    # then
    modes = {}
    for path in (folder.path, *folder.path.rglob("*")):
        with suppress(FileNotFoundError):  # the servers are at work
            modes[path] = path.stat().st_mode
    assert {path.name for path in modes if path.parent == folder.path} >= {"data", "logs", "keys"}
    assert [path for path, mode in modes.items() if mode & 0o077] == []


async def test_a_killed_mongod_comes_back_with_its_data_and_is_counted(folder: StackFolder) -> None:
    # given a document
    state = await up(folder)
    mongo = Mongo(state.environment[plans.MONGO_URLS[0]])
    toys = mongo.database("toys").get_collection("toys")
    await toys.insert_one({"_id": "bear"})

    # when mongod is killed
    await killed_and_back(folder, "mongod")

    # then the document is there, and the restart is told
    assert await toys.find_one({"_id": "bear"}) == {"_id": "bear"}
    assert named(folder, "mongod").restarts == 1
    await mongo.close()


async def test_a_broker_killed_before_it_saved_has_its_topics_back(folder: StackFolder) -> None:
    # given a broker that has just been told its topics
    state = await up(folder)

    # when it is killed
    await killed_and_back(folder, "kafka")

    # then every topic is there again
    reports = await apply_topics(state.environment[plans.KAFKA_BOOTSTRAP], 1)
    assert {report.name: report.state for report in reports} == {
        topic.name: "present" for topic in ALL_TOPICS
    }


async def test_a_frozen_server_is_not_healthy(folder: StackFolder) -> None:
    # given a mongod that lives but does not answer
    state = await up(folder)
    mongod = named(folder, "mongod").pid
    os.kill(mongod, signal.SIGSTOP)

    # when / then
    health = {one.name: one.healthy for one in await control.report(state)}
    os.kill(mongod, signal.SIGCONT)
    assert health == {"mongod": False, "kafka": True}


async def test_the_next_start_finds_ports_and_data_again(folder: StackFolder) -> None:
    # given a stack that was stopped with a document in it
    before = await up(folder)
    mongo = Mongo(before.environment[plans.MONGO_URLS[0]])
    await mongo.database("toys").get_collection("toys").insert_one({"_id": "bear"})
    await asyncio.to_thread(control.down, folder)

    # when it is started again
    after = await up(folder)

    # then
    assert after.ports == before.ports
    assert await mongo.database("toys").get_collection("toys").count_documents({}) == 1
    await mongo.close()


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
