"""Stopping and finding stacks from outside, with stand-ins for supervisors."""

import fcntl
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from deploy import cli
from deploy.local import control
from deploy.local.control import ProcessReport, StackFailed
from deploy.local.process import created_at, runs
from deploy.local.readiness import NotHealthy, SelfReport, self_report, service_up
from deploy.local.state import READY, ProcessState, StackFolder, StackState
from shared.http.serving import Readiness, operations_router, serving
from tests.support.ports import free_port, listens
from tests.support.waiting import until

FOREVER = "import time\nwhile True: time.sleep(60)"


@pytest.fixture
def bystander() -> Iterator[int]:
    """The pid of a process that is none of ours."""
    with subprocess.Popen([sys.executable, "-c", FOREVER], start_new_session=True) as process:
        yield process.pid
        process.kill()


def test_a_stale_supervisor_pid_is_never_signalled(
    folder: StackFolder, bystander: int, monkeypatch: pytest.MonkeyPatch
):
    # given a held folder whose state still names an earlier supervisor, its pid given to another
    monkeypatch.setattr(control, "KNOWN_SECONDS", 0.2)
    folder.save(StackState(status=READY, supervisor_pid=bystander, supervisor_created=1.0))

    # when it is to be stopped
    with folder.hold(), pytest.raises(StackFailed, match="no supervisor is known"):
        control.down(folder)

    # then the other process is left alone
    assert runs(bystander, created_at(bystander))


@pytest.mark.parametrize(
    ("reasons", "begun"),
    [
        (["kafka ended: java.net.BindException: Address already in use", "no Java"], 2),
        (["mongod: Address already in use", "kafka: address already in use"], 2),
        (["no Java"], 1),
    ],
)
def test_where_a_port_was_taken_meanwhile_the_stack_is_begun_again_once(
    folder: StackFolder, monkeypatch: pytest.MonkeyPatch, reasons: list[str], begun: int
):
    tried: list[str] = []

    def fail(_folder: StackFolder, *, servers_only: bool) -> None:
        tried.append(reasons[len(tried)])
        raise StackFailed(tried[-1])

    monkeypatch.setattr(control, "_spawn", fail)
    with pytest.raises(StackFailed) as failed:
        control.up(folder, servers_only=True)
    assert len(tried) == begun
    assert str(failed.value) == reasons[-1]


def test_processes_of_a_crashed_supervisor_are_ended(folder: StackFolder, bystander: int):
    # given a process that its supervisor left behind
    left = ProcessState("worker", "127.0.0.1:1", bystander, created_at(bystander))
    folder.save(StackState(status=READY, processes=[left]))
    assert control.down(folder) is True
    assert not runs(bystander, left.created)
    assert control.down(folder) is False


def test_an_ended_process_that_nobody_collected_does_not_run():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        created = created_at(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert not runs(process.pid, created)


def test_asking_whether_a_stack_runs_does_not_keep_one_from_starting(folder: StackFolder):
    # given somebody who asks, and so has the lock for a moment
    with folder.hold():
        pass
    asking = os.open(folder.path / "lock", os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    done = threading.Timer(0.1, os.close, (asking,))
    done.start()

    # when / then a supervisor starts
    with folder.hold():
        assert folder.is_held()
    done.join()


def test_asking_about_a_folder_without_a_stack_leaves_no_trace(tmp_path: Path):
    assert StackFolder(tmp_path).is_held() is False
    assert list(tmp_path.iterdir()) == []


async def test_a_process_that_does_not_answer_is_not_healthy(bystander: int):
    # given processes that live and listen nowhere
    names = ("mongod", "kafka", "relay")
    deaf = [ProcessState(name, "127.0.0.1:1", bystander, created_at(bystander)) for name in names]
    reports = await control.report(StackState(processes=deaf))
    assert [(one.name, one.healthy) for one in reports] == [(name, False) for name in names]


@pytest.mark.usefixtures("no_settings")
def test_the_printed_settings_survive_a_shell(
    folder: StackFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # given a stack in a folder with an awkward name
    awkward = "/it's a folder; $HOME/keys.json"
    monkeypatch.setenv("TEDDY_KEY_FILE", awkward)
    monkeypatch.setattr("sys.argv", ["teddy", "--dir", str(folder.path), "env", "--all"])
    cli.main()
    words = shlex.split(capsys.readouterr().out)
    assert words[-2:] == ["export", f"TEDDY_KEY_FILE={awkward}"]


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(
    "arguments", [("token", "--role", "parent", "--subject", "p-1"), ("topics", "apply")]
)
def test_a_setting_that_is_missing_among_others_is_named(
    folder: StackFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
):
    # given one setting, but not the one that is needed
    monkeypatch.setenv("TEDDY_MONGOD", "/opt/mongod")
    monkeypatch.setattr("sys.argv", ["teddy", "--dir", str(folder.path), *arguments])

    # when
    with pytest.raises(SystemExit) as ended:
        cli.main()

    # then
    reported = capsys.readouterr().err
    assert ended.value.code == 2
    assert reported.startswith("teddy: TEDDY_")
    assert len(reported.splitlines()) == 1


ANSWER = {"status": "ready", "lag": {"events": 0, "seconds": 0.0}}


@pytest.mark.parametrize(
    ("report", "warnings"),
    [
        ({**ANSWER, "dead_lettered_children": 0, "retrying": None}, ()),
        (
            {**ANSWER, "dead_lettered_children": 1, "retrying": None},
            ("1 child is dead-lettered, shown as stale: see `teddy dead-letter list`",),
        ),
        (
            {**ANSWER, "retrying": {"since": "12:00", "because": "OperationFailure 50"}},
            ("retrying since 12:00 because of OperationFailure 50",),
        ),
        (
            {
                **ANSWER,
                "notifications": {
                    "pending": 9,
                    "waiting_seconds": 1_500.0,
                    "failed": 2,
                    "unconfigured": {"email": 1},
                },
            },
            (
                "9 notifications are pending, the oldest for 25 min: see `teddy notifications list "
                "--state pending`",
                "2 notifications have failed: see `teddy notifications list`",
                "1 alert policy names email, which is not in TEDDY_ALERT_CHANNELS: it is not "
                "delivered",
            ),
        ),
        ({**ANSWER, "notifications": {"pending": 9, "waiting_seconds": 60.0, "failed": 0}}, ()),
        ({**ANSWER, "degraded": ["kafka"]}, ("runs without kafka",)),
        ({**ANSWER, "topics": ["topic t has 1 partitions"]}, ("topic t has 1 partitions",)),
    ],
)
def test_what_a_ready_service_warns_of_is_reported(
    report: dict[str, Any], warnings: tuple[str, ...]
):
    assert self_report(report) == SelfReport("0 events, 0.0 s", warnings)


WAITS = "waits for a rebuild to projections 6: run `teddy replay rebuild`"


@pytest.mark.parametrize(("read_store", "waits"), [("up", True), ("down", False)])
def test_a_service_waits_for_an_operator_only_when_all_it_depends_on_is_there(
    read_store: str, waits: bool
):
    report = {**ANSWER, "dependencies": {"read_store": read_store}, "findings": [WAITS]}

    assert self_report(report) == SelfReport("0 events, 0.0 s", (WAITS,), waits=waits)


async def test_a_stack_gets_up_with_a_worker_that_waits_for_a_rebuild_and_status_names_it(
    free_address: tuple[str, int],
):
    # given
    host, port = free_address
    app = FastAPI()
    app.include_router(operations_router(Readiness({}, findings=lambda: [WAITS])))
    async with serving(app, host, port):
        await until(lambda: listens((host, port)))
        process = ProcessState("worker", f"{host}:{port}", pid=os.getpid())
        # when
        reported = await service_up(process.address)
        (report,) = await control.report(StackState(processes=[process]))
    # then
    assert reported.warnings == (WAITS,)
    assert not report.healthy
    assert control.warnings_of([report]) == [f"worker: {WAITS}"]


async def test_a_service_without_what_it_depends_on_is_not_up(free_address: tuple[str, int]):
    async def refused() -> None:
        raise ConnectionError

    host, port = free_address
    app = FastAPI()
    app.include_router(operations_router(Readiness({"store": refused}, findings=lambda: [WAITS])))
    async with serving(app, host, port):
        await until(lambda: listens((host, port)))
        with pytest.raises(NotHealthy):
            await service_up(f"{host}:{port}")


@pytest.fixture
def free_address() -> tuple[str, int]:
    return "127.0.0.1", free_port()


def test_status_is_not_well_while_children_are_dead_lettered(
    folder: StackFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # given a stack whose processes are all healthy
    async def reports(_state: StackState) -> list[ProcessReport]:
        reported = self_report({**ANSWER, "dead_lettered_children": 1_200})
        return [ProcessReport("worker", 1, "127.0.0.1:1", True, 0, reported)]

    folder.save(StackState(status=READY))
    monkeypatch.setattr(StackFolder, "is_held", lambda _: True)
    monkeypatch.setattr(control, "report", reports)
    monkeypatch.setattr("sys.argv", ["teddy", "--dir", str(folder.path), "status"])
    # when
    with pytest.raises(SystemExit) as ended:
        cli.main()
    # then
    assert ended.value.code == 1
    assert "worker: 1,200 children are dead-lettered" in capsys.readouterr().out
