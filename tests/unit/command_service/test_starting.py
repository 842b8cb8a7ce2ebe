"""What the bus is wired from; `python -m command_service` with settings that cannot work."""

from pathlib import Path
from typing import get_args

import pytest

from command_service.__main__ import main
from command_service.bus.command_bus import Command
from tests.support.command_side import CommandSide
from tests.support.key_files import create_key_files


def test_every_command_has_a_handler_behind_the_middleware_in_this_order():
    handled = {each.command for each in CommandSide().bus.handlers}
    assert handled == {kind.__name__ for kind in get_args(Command)}
    assert CommandSide().bus.middleware == [
        "Logging", "Metrics", "Audit", "authorization", "validation",
        "ChildQueues", "CircuitBreaker", "Deadline", "Retry",
    ]  # fmt: skip


MONGO = "mongodb://127.0.0.1:1/?directConnection=true"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with usable files, and an environment that names them."""
    for name, path in create_key_files(tmp_path).items():
        monkeypatch.setenv(name, path)
    monkeypatch.setenv("TEDDY_WRITE_MONGO_URL", MONGO)
    monkeypatch.setenv("TEDDY_KEYS_MONGO_URL", MONGO)
    monkeypatch.setenv("TEDDY_AUDIT_MONGO_URL", MONGO)
    monkeypatch.setattr("command_service.__main__.configure_logs", lambda *_: None)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    return printed.err


def test_a_missing_setting_is_named(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("TEDDY_WRITE_MONGO_URL")
    assert "TEDDY_WRITE_MONGO_URL" in refusal(capsys)


def test_a_key_file_that_others_may_read_is_refused(
    settings: Path, capsys: pytest.CaptureFixture[str]
):
    (settings / "keys.json").chmod(0o644)
    assert "mode is 0644" in refusal(capsys)


@pytest.mark.parametrize("content", [None, "not json", "[]", "{}"])
def test_an_unusable_key_set_is_refused(
    settings: Path, capsys: pytest.CaptureFixture[str], content: str | None
):
    jwks = settings / "jwks.json"
    jwks.unlink()
    if content is not None:
        jwks.write_text(content)
    assert "jwks" in refusal(capsys)
