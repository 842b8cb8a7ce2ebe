"""`make test-pythons` tells what it tried and what it did not find, and fails with a test."""

import sys
from pathlib import Path

import pytest

from tests import pythons
from tests.pythons import THIS, candidates, found, main


def fake_python(path: Path, answer: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


def test_pythons_of_the_path_come_before_those_of_pyenv_and_newer_ones_first(
    tmp_path: Path,
) -> None:
    on_path = fake_python(tmp_path / "bin/python3.13", "echo 3.13")
    older, newer = (
        fake_python(tmp_path / f"pyenv/versions/{version}/bin/python", "echo 3.12")
        for version in ("3.12.9", "3.12.10")
    )

    listed = candidates(str(on_path.parent), tmp_path / "pyenv")

    assert listed == [str(on_path), str(newer), str(older)]
    assert found(listed) == {"3.13": str(on_path), "3.12": str(newer)}


@pytest.mark.parametrize("answer", ["echo 3.10", "exit 1", "echo 3.13; exit 1"])
def test_what_is_not_supported_or_cannot_make_environments_is_not_taken(
    tmp_path: Path, answer: str
) -> None:
    assert found([str(fake_python(tmp_path / "python", answer))]) == {}


def test_this_python_is_found() -> None:
    assert found([sys.executable]) == {THIS: sys.executable}


@pytest.mark.parametrize(("passed", "code", "said"), [(True, 0, "passed"), (False, 1, "FAILED")])
def test_each_python_is_reported(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    passed: bool,
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(pythons, "SUPPORTED", (THIS, "3.98", "3.99"))
    monkeypatch.setattr(pythons, "found", lambda _: {THIS: "here", "3.98": "there"})
    monkeypatch.setattr(pythons, "tested", lambda _version, _interpreter: passed)

    assert main([]) == code
    assert capsys.readouterr().out.splitlines() == [
        f"Python {THIS}: the one of .venv",
        f"Python 3.98: {said}",
        "Python 3.99: not found on this machine",
    ]
