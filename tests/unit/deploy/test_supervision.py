"""What the supervisor does about processes that die, fail to start, or fail together."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from deploy.local import plans, process, supervisor
from deploy.local.apache_kafka.node import Node
from deploy.local.brokers import LocalBroker, Restarted
from deploy.local.process import NotReady, ProcessPlan, SupervisedProcess
from deploy.local.state import FAILED, StackFolder
from deploy.local.supervisor import Supervisor
from tests.support.waiting import until

FOREVER = "import time\nwhile True: time.sleep(60)"


async def at_once() -> None:
    """Ready as soon as it runs."""


async def never() -> None:
    raise ConnectionError("nobody there")


def stand_in(
    folder: Path,
    name: str,
    code: str,
    ready: Callable[[], Awaitable[object]] = at_once,
    restarted: Callable[[], Awaitable[object]] | None = None,
) -> ProcessPlan:
    return ProcessPlan(
        name=name,
        command=(sys.executable, "-c", code),
        address="127.0.0.1:1",
        log=folder / f"{name}.log",
        ready=ready,
        restarted=restarted,
    )


@dataclass(frozen=True)
class StandInBroker:
    planned: ProcessPlan
    name: str = "a stand-in"
    settings: Mapping[str, str] = field(default_factory=dict)

    def plan(self, folder: StackFolder, node: Node, restarted: Restarted) -> ProcessPlan:
        return self.planned


async def killed_until_tried(watched: SupervisedProcess, tried: list[int], times: int) -> None:
    os.kill(watched.state.pid, signal.SIGKILL)
    await until(lambda: len(tried) == times)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(process, "LONGEST_PAUSE_SECONDS", 0.1)


async def test_what_a_restart_has_to_repair_is_fixed_after_each_restart(tmp_path: Path):
    # given a process that has to be fixed after a restart
    fixed: list[int] = []

    async def repair() -> None:
        fixed.append(watched.state.pid)

    watched = SupervisedProcess(
        stand_in(tmp_path, "broker", FOREVER, restarted=repair), lambda: None
    )
    await watched.start()
    assert fixed == []

    # when it is killed twice
    await killed_until_tried(watched, fixed, 1)
    await killed_until_tried(watched, fixed, 2)

    # then it was fixed as often
    assert watched.state.restarts == 2
    assert fixed[-1] == watched.state.pid
    await watched.stop()


async def test_a_failing_repair_is_told_and_the_process_goes_on_being_watched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    # given a process whose repair fails
    tried: list[int] = []

    async def fail() -> None:
        tried.append(watched.state.pid)
        raise ConnectionError("no controller yet")

    watched = SupervisedProcess(stand_in(tmp_path, "broker", FOREVER, restarted=fail), lambda: None)
    await watched.start()

    # when it is killed, and once more after that failed
    await killed_until_tried(watched, tried, 1)
    await killed_until_tried(watched, tried, 2)

    # then each failure was told, and it can still be stopped
    await watched.stop()
    assert capsys.readouterr().out.count("broker: no controller yet") == 2
    assert not psutil.pid_exists(watched.state.pid)


async def test_a_binary_that_is_gone_at_a_restart_is_looked_for_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    # given a running process whose binary disappears
    binary, hidden = tmp_path / "server", tmp_path / "server.hidden"
    binary.symlink_to(sys.executable)
    plan = ProcessPlan(
        "server", (str(binary), "-c", FOREVER), "127.0.0.1:1", tmp_path / "server.log", at_once
    )
    watched = SupervisedProcess(plan, lambda: None)
    await watched.start()
    first = watched.state.pid
    binary.rename(hidden)

    # when it dies, and the binary comes back only after a failed restart
    os.kill(first, signal.SIGKILL)
    await until(lambda: watched.state.restarts >= 2)
    hidden.rename(binary)

    # then it runs again
    await until(lambda: watched.state.pid != first)
    await watched.stop()
    assert "No such file" in capsys.readouterr().out


async def test_when_one_process_cannot_start_the_others_are_ended_and_it_is_told(
    tmp_path: Path, folder: StackFolder, monkeypatch: pytest.MonkeyPatch
):
    # given a server that never answers and one that ends at once
    for name in (*plans.MONGO_URLS, plans.KAFKA_BOOTSTRAP):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        plans, "mongod_plan", lambda *_: stand_in(tmp_path, "mongod", FOREVER, ready=never)
    )

    async def choose_broker(*_: object) -> LocalBroker:
        broken = stand_in(tmp_path, "kafka", "import sys; sys.exit('disk full')", ready=never)
        return StandInBroker(broken)

    monkeypatch.setattr(supervisor, "choose_broker", choose_broker)
    stack = Supervisor(folder)
    before = psutil.Process().children()

    # when the stack starts
    with pytest.raises(NotReady, match="kafka ended with code 1"):
        await stack.run(asyncio.Event())

    # then the reason is in the state, and nothing is left
    state = folder.load()
    assert state is not None
    assert state.status == FAILED
    assert "disk full" in state.detail
    assert state.processes == []
    assert psutil.Process().children() == before


def test_ports_of_one_stack_differ_and_are_not_those_of_outgoing_connections():
    # given as many stacks' ports as there may be
    taken: list[int] = []
    for _ in range(200):
        taken.append(plans.free_port(None, taken=taken))
    assert len(set(taken)) == 200
    assert all(port in plans.PORTS for port in taken)


def test_a_remembered_port_that_another_process_of_the_stack_has_is_not_used():
    port = plans.free_port(None)

    assert plans.free_port(port, taken=[port]) != port
