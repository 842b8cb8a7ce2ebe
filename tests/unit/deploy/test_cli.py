import asyncio
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy import cli
from deploy.local import control
from deploy.local.control import ProcessReport
from deploy.local.operator_settings import check_settings
from deploy.local.readiness import SelfReport
from deploy.local.state import READY, StackFolder, StackState
from shared.auth.access import Role
from shared.auth.tokens import LOCAL_KEY_ID
from shared.signing import create_signing_key, read_signing_key
from tests.support.tokens import verifier_of


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["teddy", *arguments])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("verify",),
        ("load",),
        ("topics", "apply"),
        ("env",),
        ("token", "--role", "parent", "--subject", "p-1"),
        ("token", "--role", "king", "--subject", "p-1"),
        ("token", "--role", "parent"),
        ("token", "--subject", "p-1"),
        ("logs", "nothing"),
        ("fly",),
        ("up", "--sideways"),
        ("topics", "apply", "--replication", "0"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
):
    code = run(monkeypatch, "--dir", str(tmp_path), *arguments)

    errors = capsys.readouterr().err
    assert code == 2
    assert errors.startswith("teddy: ")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("command", ["up", "demo"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TEDDY_KAFKA_REPLICATION", "9", "settings: TEDDY_KAFKA_REPLICATION: "),
        ("TEDDY_QUERY_MAX_EXPORTS", "0", "settings: {name}: must be at least 1"),
        ("TEDDY_CONVERSATION_LIMIT_MINUTES", "0", "settings: {name}: must be at least 1"),
        ("TEDDY_QUERY_CACHE_BYTES", "x", "settings: {name}: must be an integer"),
        ("TEDDY_RATE_LIMIT_SEARCH", "many", "settings: {name}: must be a number of at least 1, a"),
        ("TEDDY_READ_MONGO_URL", "nowhere", "settings: {name}: is no usable MongoDB URL"),
        ("TEDDY_ALERT_CHANNELS", "email", ".*TEDDY_ALERT_SMTP_HOST"),
        ("TEDDY_JWKS_URL", "https://issuer.example/jwks", ".*set either"),
    ],
)
def test_a_setting_that_stops_a_service_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
    name: str,
    value: str,
    said: str,
):
    monkeypatch.setenv(name, value)
    code = run(monkeypatch, "--dir", str(tmp_path / "stack"), command)
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert re.match(said.format(name=name), line)
    assert not (tmp_path / "stack").exists()


def test_settings_that_are_good_let_a_stack_start(monkeypatch: pytest.MonkeyPatch):
    """With what the stack itself makes: servers and keys."""
    monkeypatch.setenv("TEDDY_CONVERSATION_LIMIT_MINUTES", "60")

    check_settings()


def with_signing_key(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    create_signing_key(folder / "signing.pem", folder / "jwks.json", LOCAL_KEY_ID)
    monkeypatch.setenv("TEDDY_SIGNING_KEY_FILE", str(folder / "signing.pem"))


def test_a_token_is_good_for_whom_it_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    with_signing_key(monkeypatch, tmp_path)

    run(monkeypatch, "--dir", str(tmp_path), "token", "--role", "parent", "--subject", "p-1")

    key = read_signing_key(tmp_path / "signing.pem")
    verifier = verifier_of(key, "teddy-local", "teddy")
    principal = asyncio.run(verifier.verify(capsys.readouterr().out.strip())).principal
    assert (principal.subject, principal.role) == ("p-1", Role.PARENT)


@pytest.mark.parametrize("life", ["", "1", "h", "0h", "1w", "-1h", "²h", "8d", "9" * 30 + "d"])
def test_a_life_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, life: str):
    with_signing_key(monkeypatch, tmp_path)
    wish = ("token", "--role", "parent", "--subject", "p", "--life", life)

    assert run(monkeypatch, "--dir", str(tmp_path), *wish) == 2


@pytest.mark.parametrize(
    "subject", ["", " ", "p-1 ", "a/b", "wei\u00df", "s" * 129, "two\nlines", "no\x00thing"]
)
def test_a_subject_that_no_token_may_have_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    subject: str,
):
    with_signing_key(monkeypatch, tmp_path)
    wish = ("token", "--role", "parent", "--subject", subject)

    assert run(monkeypatch, "--dir", str(tmp_path), *wish) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "--subject is 1..128 visible ASCII characters" in printed.err


def test_keys_are_made_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    path = tmp_path / "keys.json"
    run(monkeypatch, "keys", "init", str(path))
    first = path.read_bytes()

    run(monkeypatch, "keys", "init", str(path))

    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "created",
        "unchanged",
    ]


def test_the_help_names_every_command():
    shown = CliRunner().invoke(cli.teddy, ["--help"]).output

    for name in ("up", "down", "status", "logs", "load", "verify", "demo", "token", "topics"):
        assert f"\n  {name} " in shown


@pytest.mark.parametrize("columns", ["60", "40", "20"])
def test_the_status_of_a_stack_names_each_port_on_the_narrowest_terminal(
    folder: StackFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    columns: str,
):
    # given
    reports = [
        ProcessReport(name, 123_456, f"127.0.0.1:2{place}001", True, 0, SelfReport("0 events, 0 s"))
        for place, name in enumerate(("mongod", "kafka", "command", "relay", "worker", "query"))
    ]

    async def report(_: StackState) -> list[ProcessReport]:
        return reports

    monkeypatch.setattr(control, "report", report)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as if a terminal listened
    monkeypatch.setenv("COLUMNS", columns)
    folder.save(StackState(status=READY))
    # when
    with folder.hold():
        code = run(monkeypatch, "--dir", str(folder.path), "status")
    # then
    out = capsys.readouterr().out
    assert code == 0
    assert all(one.address in out and one.name in out for one in reports)
