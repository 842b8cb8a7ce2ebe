"""What pip and the system say, as one line for a person."""

import ast
import errno
from pathlib import Path

import pytest

from deploy import setup
from deploy.setup.steps import expected_stamp, explained, explained_os_error, is_up_to_date

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
def test_one_line_says_what_to_do(output: str, said: str) -> None:
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
def test_what_the_system_refuses_is_said_in_one_line(number: int, said: str) -> None:
    error = OSError(number, "gone", "/srv/teddy/.setup.log")

    assert said in explained_os_error(error, FOLDER)


def test_an_old_python_can_read_far_enough_to_say_that_it_is_too_old() -> None:
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


def test_an_environment_stays_while_only_other_settings_change(tmp_path: Path) -> None:
    place = made(tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.ruff]\nline-length = 88\n[project]\nname="tiny"'
    )

    assert is_up_to_date(*place)


@pytest.mark.parametrize(
    "changed", ["requirements-build.txt", "requirements-dev.txt", "pyproject.toml"]
)
def test_an_environment_is_out_of_date_with_its_locks_and_metadata(
    tmp_path: Path, changed: str
) -> None:
    place = made(tmp_path)
    (tmp_path / changed).write_text('[project]\nname = "other"\n')

    assert not is_up_to_date(*place)


def test_an_environment_is_out_of_date_where_its_python_is_another_or_gone(tmp_path: Path) -> None:
    root, environment, stamp = made(tmp_path)
    python = environment / "bin/python"
    python.unlink()
    python.symlink_to(root / "python3.12")
    assert not is_up_to_date(root, environment, stamp)

    (root / "python3.12").touch()
    assert not is_up_to_date(root, environment, stamp)


def test_an_environment_that_was_moved_or_has_no_stamp_is_out_of_date(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    root, environment, stamp = made(here)
    here.rename(there)
    assert not is_up_to_date(there, there / ".venv", there / ".venv/.installed")

    there.rename(here)
    assert is_up_to_date(root, environment, stamp)
    stamp.unlink()
    assert not is_up_to_date(root, environment, stamp)
