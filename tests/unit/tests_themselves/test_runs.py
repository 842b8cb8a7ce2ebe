"""A run of the tests: dealt out, with room, without servers, ended when it hangs or is killed."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from shared.clock import new_id
from tests.support import room
from tests.support.core_waits import CoreWaits
from tests.support.distribution import SERVERS, pytest_xdist_auto_num_workers, unit_of
from tests.support.guardian import MARK, marked
from tests.support.no_servers import ServerAskedFor, no_servers
from tests.support.ports import free_port
from tests.support.waiting import until


def test_a_full_disk_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=300_000_000))

    with pytest.raises(pytest.UsageError) as refused:
        room.refuse_without_room(str(tmp_path))

    said = str(refused.value)
    assert said.startswith(f"{tmp_path} has 0.3 GB free")
    assert "TMPDIR" in said
    assert "\n" not in said


def test_with_room_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=room.NEEDED_BYTES))

    room.refuse_without_room(str(tmp_path))


STACK = "the common stack"


@pytest.mark.parametrize(
    ("file", "unit"),
    [
        ("tests/e2e/test_whole_path.py", STACK),
        ("tests/e2e/test_broker_away.py", STACK),
        ("tests/e2e/test_rebuild.py", "tests/e2e/test_rebuild.py"),
        (
            "tests/integration/containers/test_mongodb.py",
            "tests/integration/containers/test_mongodb.py",
        ),
        ("tests/integration/relay/test_relay.py", None),
        ("tests/contract/test_claim_store.py", None),
        (
            "tests/unit/command_service/child/test_registration.py",
            "tests/unit/command_service/child/test_registration.py",
        ),
    ],
)
def test_what_shares_a_stack_or_a_fixture_stays_together(file: str, unit: str | None):
    assert unit_of(file) == unit


@pytest.mark.parametrize(
    ("asked", "variables", "workers"),
    [
        ("auto", {}, 6),
        ("logical", {}, 3),
        ("auto", {"PYTEST_XDIST_AUTO_NUM_WORKERS": "7"}, 7),
        ("auto", dict.fromkeys(SERVERS, "of somebody's own"), 0),
        ("auto", {SERVERS[0]: "of somebody's own"}, 6),
    ],
)
def test_there_are_more_workers_than_cores_for_tests_that_wait(
    monkeypatch: pytest.MonkeyPatch, asked: str, variables: dict[str, str], workers: int
):
    for name in ("PYTEST_XDIST_AUTO_NUM_WORKERS", *SERVERS):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    config: Any = SimpleNamespace(option=SimpleNamespace(numprocesses=asked))

    assert pytest_xdist_auto_num_workers(config) == workers


SERVER = 4_000_001


def waited(proc: Path, pid: int, thread: int, seconds: float) -> None:
    file = proc / str(pid) / "task" / str(thread) / "schedstat"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"123456789 {int(seconds * 1e9)} 42\n")


def test_waits_of_all_threads_count_from_the_beginning_on(tmp_path: Path):
    # given threads that have waited before
    waited(tmp_path, SERVER, 1, 5.0)
    waited(tmp_path, os.getpid(), 1, 7.0)
    waits = CoreWaits(SERVER, proc=tmp_path)
    assert waits.seconds() == 0.0
    # when they wait, and one begins
    waited(tmp_path, SERVER, 1, 5.5)
    waited(tmp_path, SERVER, 2, 0.25)
    waited(tmp_path, os.getpid(), 1, 7.125)
    # then
    assert waits.seconds() == pytest.approx(0.875)


def test_others_do_not_count_and_where_nobody_counts_there_is_none(tmp_path: Path):
    waits = CoreWaits(SERVER, proc=tmp_path)

    waited(tmp_path, SERVER + 1, 1, 9.0)

    assert waits.seconds() == 0.0


LISTENS = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_no_server_can_be_started():
    with (
        pytest.raises(ServerAskedFor, match="mongod was to be started"),
        no_servers(),
        suppress(ServerAskedFor),
    ):
        subprocess.run(["/usr/bin/mongod", "--dbpath", "folder"], check=False)


async def test_no_stack_can_be_started():
    with pytest.raises(ServerAskedFor, match="was to be started"), no_servers():
        await asyncio.create_subprocess_exec(sys.executable, "-m", "deploy.local", "folder")


def test_no_other_process_can_be_reached():
    with subprocess.Popen(
        [sys.executable, "-c", LISTENS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        address = ("127.0.0.1", int(other.stdout.readline()))
        with (
            socket.socket() as asking,
            pytest.raises(ServerAskedFor, match=f"at 127.0.0.1:{address[1]}"),
            no_servers(),
        ):
            asking.connect(address)
        other.communicate()


async def test_this_process_and_nobody_at_all_may_be_asked():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with no_servers():
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", free_port())
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("fixture", ["servers", "mongo_url", "kafka_bootstrap", "services"])
def test_the_fixtures_of_servers_refuse(request: pytest.FixtureRequest, fixture: str):
    with pytest.raises(pytest.fail.Exception, match="belongs to tests/"):
        request.getfixturevalue(fixture)


HANGS = """
import asyncio

async def nobody_ends_this():
    await asyncio.Event().wait()

async def test_that_hangs():
    await asyncio.gather(nobody_ends_this(), asyncio.sleep(0))

async def test_after_it():
    await asyncio.sleep(0)
"""


def test_one_that_hangs_fails_and_names_what_it_waits_for(tmp_path: Path):
    # given
    (tmp_path / "test_hanging.py").write_text(HANGS)
    options = ("--timeout=1", "-p", "tests.support.hung_tests", "-p", "no:cacheprovider")
    settings = ("-o", "asyncio_mode=auto", "--rootdir", str(tmp_path))
    # when
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, *settings, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    # then
    assert run.returncode == 1
    assert "1 failed, 1 passed" in run.stdout
    assert "in nobody_ends_this" in run.stdout


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
async def test_a_run_that_is_ended_leaves_no_process(number: signal.Signals):
    run, run_id = await _run("time.sleep(600)")
    # its environment can be read a moment after a process was started
    await until(lambda: len(_servers(run_id)) == 2, 30)
    run.send_signal(number)
    await run.wait()
    await until(lambda: marked(run_id) == [], 30)


async def test_a_run_that_comes_to_its_end_leaves_none_either():
    run, run_id = await _run("pass")

    await run.wait()

    assert (run.returncode, marked(run_id)) == (0, [])


def _servers(run_id: str) -> list[psutil.Process]:
    return [one for one in marked(run_id) if "tests.support.guardian" not in one.cmdline()]
