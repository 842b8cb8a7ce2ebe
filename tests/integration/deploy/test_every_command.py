"""Every command of `teddy`, wherever it is called: what is wrong is one line, never a traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy import cli
from deploy.commands import running_stack
from deploy.local import control, plans
from deploy.local.process import created_at
from deploy.local.state import READY, ProcessState, StackFolder, StackState
from tests.support.commands import Said, called
from tests.support.key_files import create_key_files
from tests.support.ports import free_port
from tests.support.teddy_commands import ARGUMENTS, arguments, commands

EVERY = pytest.mark.parametrize("command", commands(), ids=" ".join)
NEED_NO_STACK = {("keys", "init"), ("down",)}
HELD = """
import os, sys, time
from pathlib import Path
from types import SimpleNamespace
from deploy.local.process import created_at
from deploy.local.state import STARTING, StackFolder, StackState

folder = StackFolder(Path(sys.argv[1]))
folder.create()
(folder.logs / "supervisor.log").write_text("starting\\n")
with folder.hold():
    folder.save(StackState(
        status=STARTING,
        supervisor_pid=os.getpid(),
        supervisor_created=created_at(os.getpid()),
        environment={"TEDDY_WRITE_MONGO_URL": "mongodb://127.0.0.1:1/"},
    ))
    print("held", flush=True)
    while True:
        time.sleep(60)
"""
"""A supervisor that starts its servers, and is not done with it as long as anybody looks."""


def test_every_command_has_arguments_here() -> None:
    assert set(ARGUMENTS) == set(commands())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a stack waits for moments. Commands run in a thread here, where a signal
    cannot be asked for."""
    monkeypatch.setattr(
        running_stack, "signal", SimpleNamespace(signal=lambda *_: None, SIGTERM=None)
    )
    for name in ("PREPARE_SECONDS", "UP_SECONDS"):
        monkeypatch.setattr(control, name, 0.5)


async def teddy(folder: Path, command: tuple[str, ...], files: Path) -> Said:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TEDDY_")}
    return await called(cli.main, ["--dir", str(folder), *arguments(command, files)], plain)


def assert_one_line(said: Said, *codes: int) -> None:
    assert said.code in codes, said
    assert "Traceback" not in said.out + said.err
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith(("teddy: ", "settings: ")), said.err


@EVERY
async def test_where_no_stack_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    # given: what starts one meets a machine that cannot
    def cannot(*_: object, **__: object) -> StackState:
        raise control.StackFailed("no mongod is there")

    monkeypatch.setattr(control, "up", cannot)

    # when
    said = await teddy(tmp_path / "stack", command, tmp_path)

    # then
    if command in NEED_NO_STACK:
        assert (said.code, said.err) == (0, "")
    else:
        assert_one_line(said, 1, 2)


@EVERY
async def test_where_nothing_can_be_written(tmp_path: Path, command: tuple[str, ...]) -> None:
    # given a folder that nobody can make, root neither: it would lie below a file
    (tmp_path / "file").write_text("")

    # when
    said = await teddy(tmp_path / "file" / "stack", command, tmp_path)

    # then
    if command == ("keys", "init"):
        assert (said.code, said.err) == (0, "")
    else:
        assert_one_line(said, 1, 2)


async def test_a_key_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wish = ["keys", "init", str(tmp_path / "file" / "keys.json")]

    assert_one_line(await called(cli.main, wish, os.environ), 1)


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Path]:
    """The folder of a stack that is not up yet."""
    folder = tmp_path / "starting"
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(folder)], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "held\n"
        yield folder
        supervisor.kill()


@EVERY
async def test_where_a_stack_is_starting(
    tmp_path: Path, starting: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    # given: a running_stack, which is a stack of its own, meets a machine that cannot
    if command == ("demo",):
        monkeypatch.setattr(control, "_spawn", lambda *_, **__: None)

    # when
    said = await teddy(starting, command, tmp_path)

    # then
    if command in NEED_NO_STACK | {("logs",)}:
        assert (said.code, said.err) == (0, "")
    elif command == ("status",):
        assert (said.code, said.err) == (1, "")
        assert "starting" in said.out
    else:
        assert_one_line(said, 1, 2)


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Path]:
    """The folder of a stack of which no process answers any more, but for its supervisor."""
    folder = StackFolder(tmp_path / "away")
    folder.create()
    (folder.logs / "supervisor.log").write_text("running\n")
    nowhere = f"127.0.0.1:{free_port()}"
    environment = {
        **dict.fromkeys(plans.MONGO_URLS, f"mongodb://{nowhere}/?directConnection=true"),
        plans.KAFKA_BOOTSTRAP: nowhere,
        "TEDDY_COMMAND_URL": f"http://{nowhere}",
        "TEDDY_QUERY_URL": f"http://{nowhere}",
        **create_key_files(folder.keys),
        "TEDDY_SIGNING_KEY_FILE": str(folder.keys / "signing.pem"),
    }
    with folder.hold():
        folder.save(
            StackState(
                status=READY,
                supervisor_pid=os.getpid(),
                supervisor_created=created_at(os.getpid()),
                environment=environment,
                processes=[ProcessState("mongod", nowhere, 0, 1.0)],
            )
        )
        yield folder.path


@pytest.mark.parametrize(
    "command",
    [one for one in commands() if one not in {("up",), ("down",), ("demo",)}],
    ids=" ".join,
)
async def test_where_nothing_answers(tmp_path: Path, away: Path, command: tuple[str, ...]) -> None:
    said = await teddy(away, command, tmp_path)

    if command in NEED_NO_STACK | {("logs",), ("env",), ("token",)}:
        assert (said.code, said.err) == (0, "")
    elif command == ("load",):  # it reports what became of each of its commands
        assert (said.code, said.err) == (1, "")
        assert "stopped: POST /v1/children: ConnectError" in said.out
    elif command == ("status",):
        assert (said.code, said.err) == (1, "")
    else:
        assert_one_line(said, 1, 2)
