"""The settings of one local stack in a shell in which another one is started."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy import cli
from deploy.commands import running_stack
from deploy.local import __main__ as supervising
from deploy.local import control, operator_settings, plans
from deploy.local.operator_settings import SETTINGS, STACK, set_aside
from deploy.local.process import created_at
from deploy.local.state import READY, StackFolder, StackState
from deploy.local.supervisor import Supervisor

URLS = {"TEDDY_COMMAND_URL": "http://127.0.0.1:20001", "TEDDY_QUERY_URL": "http://127.0.0.1:20002"}
SERVERS = {
    **dict.fromkeys(plans.MONGO_URLS, "mongodb://127.0.0.1:20003/?directConnection=true"),
    plans.KAFKA_BOOTSTRAP: "127.0.0.1:20004",
    "TEDDY_KEY_FILE": "/somewhere/it's/keys.json",
}
AT_IMPORT = dict(os.environ)
NOT_USED = "ignoring the settings in this shell that belong to the local stack in {}"


pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackFolder]:
    """A stack that runs, as far as anybody can tell from outside."""
    with running(StackFolder(tmp_path / "one"), {**URLS, **SERVERS}) as folder:
        yield folder


@contextmanager
def running(folder: StackFolder, environment: Mapping[str, str]) -> Iterator[StackFolder]:
    folder.create()
    pid = os.getpid()
    with folder.hold():
        folder.save(
            StackState(
                status=READY,
                supervisor_pid=pid,
                supervisor_created=created_at(pid),
                environment=dict(environment),
            )
        )
        yield folder


def teddy(folder: StackFolder, *arguments: str) -> Result:
    return CliRunner().invoke(cli.teddy, ["--dir", str(folder.path), *arguments])


def shell(*scripts: str, before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The TEDDY_* variables of a shell that evaluated `scripts`."""
    plain = {"PATH": os.environ["PATH"], **(before or {})}
    script = "\n".join([*scripts, "env -0"])
    printed = subprocess.run(
        ["/bin/sh", "-c", script], env=plain, capture_output=True, check=True, text=True
    ).stdout
    pairs = (one.partition("=") for one in printed.split("\0") if one)
    return {name: value for name, _, value in pairs if name.startswith("TEDDY_")}


def enter(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def teddy_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("TEDDY_")}


def test_what_is_exported_unless_more_is_asked_for_are_the_urls_of_the_apis(stack: StackFolder):
    variables = shell(teddy(stack, "env").output)

    assert variables.pop(STACK) == str(stack.path)
    assert re.fullmatch(r"(TEDDY_[A-Z]+_URL:[0-9a-f]{12},?){2}", variables.pop(SETTINGS))
    assert variables == URLS


def test_all_settings_are_exported_when_they_are_asked_for(stack: StackFolder):
    variables = shell(teddy(stack, "env", "--all").output)

    assert {name: variables[name] for name in {**URLS, **SERVERS}} == {**URLS, **SERVERS}


def test_what_was_exported_from_a_stack_is_set_aside_whole_and_nothing_else(stack: StackFolder):
    # given a shell with all of a stack, settings of its own, and one that was changed since
    own = {"TEDDY_MONGOD": "/opt/mongod", "TEDDY_READ_MONGO_URL": "mongodb://mine/"}
    variables = shell(teddy(stack, "env", "--all").output) | own

    # when
    exported = set_aside(variables)

    # then
    assert exported is not None
    assert exported.folder == stack.path
    assert exported.names == {*URLS, *SERVERS} - own.keys()
    assert variables == own


def test_settings_of_the_users_own_are_used_as_they_are():
    own = {plans.KAFKA_BOOTSTRAP: "elsewhere:9092"}

    assert set_aside(own) is None
    assert own == {plans.KAFKA_BOOTSTRAP: "elsewhere:9092"}


def test_a_setting_that_the_user_made_does_not_become_the_stacks(
    stack: StackFolder, monkeypatch: pytest.MonkeyPatch
):
    own = {plans.KAFKA_BOOTSTRAP: "elsewhere:9092"}
    enter(monkeypatch, own)
    variables = shell(teddy(stack, "env", "--all").output, before=own)
    set_aside(variables)
    assert variables == own


def test_a_shell_that_asks_for_less_has_no_more_of_what_it_had(
    stack: StackFolder, monkeypatch: pytest.MonkeyPatch
):
    # given a shell that once took over everything
    everything = shell(teddy(stack, "env", "--all").output)
    enter(monkeypatch, everything)
    variables = shell(teddy(stack, "env").output, before=everything)
    assert variables.keys() == {*URLS, STACK, SETTINGS}


def test_a_broken_mark_sets_nothing_aside_but_itself():
    variables = {STACK: "/somewhere", SETTINGS: ",:,TEDDY_KEY_FILE:,x", "TEDDY_KEY_FILE": "/mine"}

    set_aside(variables)

    assert variables == {"TEDDY_KEY_FILE": "/mine"}


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_stack_that_is_started_in_such_a_shell_uses_none_of_it_and_says_so(
    stack: StackFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
):
    # given the shell, and what would start
    started: list[dict[str, str]] = []

    def up(*_: object, **__: object) -> StackState:
        started.append(teddy_variables())
        return StackState(status=READY, servers_only=True)

    monkeypatch.setattr(control, "up", up)
    monkeypatch.setattr(running_stack, "_play", lambda _: up() and 0)
    enter(monkeypatch, shell(teddy(stack, "env", "--all").output))
    monkeypatch.setenv("TEDDY_MONGOD", "/opt/mongod")

    # when one is started in another folder
    said = teddy(StackFolder(tmp_path / "two"), command)

    # then
    assert said.exit_code == 0
    assert said.stderr.splitlines() == [NOT_USED.format(stack.path)]
    assert started == [{"TEDDY_MONGOD": "/opt/mongod"}]


def test_a_supervisor_that_is_started_by_other_hands_uses_none_of_it_either(
    stack: StackFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
):
    # given
    started: list[dict[str, str]] = []
    enter(monkeypatch, shell(teddy(stack, "env", "--all").output))
    monkeypatch.setattr(os, "umask", lambda _: 0)  # it would stay that of all later tests
    monkeypatch.setattr(
        supervising, "run_process", lambda *_, **__: started.append(teddy_variables())
    )

    # when
    code = supervising.main([str(tmp_path / "two")])

    # then
    assert (code, started) == (0, [{}])
    assert capsys.readouterr().out.splitlines() == [NOT_USED.format(stack.path)]


def test_a_command_asks_the_stack_of_its_folder_whatever_the_shell_has_of_another(
    stack: StackFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    # given two stacks, and everything of the one in the shell
    enter(monkeypatch, shell(teddy(stack, "env", "--all").output))
    theirs = {name: value.replace(":2000", ":2100") for name, value in URLS.items()}
    with running(StackFolder(tmp_path / "two"), theirs) as other:
        variables = shell(teddy(other, "env").output)
    assert {name: variables[name] for name in URLS} == theirs


@pytest.mark.parametrize("command", [("keys", "rotate"), ("topics", "apply"), ("env",)])
def test_a_command_for_a_folder_without_a_stack_does_not_touch_that_of_the_shell(
    stack: StackFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
):
    enter(monkeypatch, shell(teddy(stack, "env", "--all").output))
    said = teddy(StackFolder(tmp_path / "two"), *command)
    assert said.exit_code == 2
    assert f"no stack runs in {tmp_path / 'two'}" in said.stderr
    assert NOT_USED.format(stack.path) in said.stderr


def test_what_a_shell_has_of_a_stack_is_gone_before_tests_are_imported():
    assert not AT_IMPORT.keys() & {STACK, SETTINGS}
    assert not {*AT_IMPORT.values()} & {*SERVERS.values()}


def test_tests_use_none_of_it_and_say_so(stack: StackFolder):
    # given
    variables = shell(teddy(stack, "env", "--all").output)
    looks = f"{__file__}::test_what_a_shell_has_of_a_stack_is_gone_before_tests_are_imported"

    # when
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-cov", "-p", "no:cacheprovider", looks],
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
        text=True,
    )

    # then
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
    assert NOT_USED.format(stack.path) in ran.stdout


def test_a_stack_keeps_what_its_operator_set_for_the_services_and_no_secret():
    # given
    settings = {"TEDDY_CONVERSATION_LIMIT_MINUTES": "60", "TEDDY_LOG_LEVEL": "DEBUG"}
    secret = {
        "TEDDY_ALERT_CHANNELS": "in_app,webhook",  # refused by who lacks the secret
        "TEDDY_ALERT_WEBHOOK_SECRET": "whsec_secret",
        "TEDDY_KAFKA_USER": "teddy",
        "TEDDY_KAFKA_PASSWORD": "secret",
        "TEDDY_RATE_LIMIT_STORAGE": "redis://teddy:secret@redis:6379",
    }
    others = {"TEDDY_MONGOD": "/opt/mongod", "TEDDY_NOTHING": "1", "HOME": "/"}

    # when
    kept = operator_settings.kept({**settings, **secret, **others, "TEDDY_MONGO_CA_FILE": "ca.pem"})

    # then
    assert kept == {**settings, "TEDDY_MONGO_CA_FILE": str(Path("ca.pem").absolute())}


@pytest.mark.parametrize(("shell_says", "used"), [(None, "60"), ("90", "90")])
def test_a_command_works_with_the_operators_settings_unless_the_shell_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shell_says: str | None, used: str
):
    # given
    limit = "TEDDY_CONVERSATION_LIMIT_MINUTES"
    monkeypatch.setenv(limit, "60")
    environment = Supervisor(StackFolder(tmp_path / "stack")).environment
    monkeypatch.delenv(limit)
    if shell_says is not None:
        monkeypatch.setenv(limit, shell_says)

    # when
    with running(StackFolder(tmp_path / "stack"), environment) as folder:
        variables = shell(teddy(folder, "env", "--all").output)

    # then
    assert variables[limit] == used
