"""The environment in .venv: made from nothing whenever it is not what the locks say.

From nothing, because that repairs whatever an earlier try left half-way, and because it never
keeps a package that the locks no longer name.
"""

import fcntl
import importlib.util
import platform
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from deploy.setup.steps import (
    BUILD_LOCK,
    LOCK,
    SetupError,
    StepError,
    expected_stamp,
    explained,
    explained_os_error,
    is_up_to_date,
    python,
    run,
)

ENVIRONMENT, STAMP, LOG = ".venv", ".installed", ".setup.log"
# The locks say everything: pip resolves nothing, so nothing that was released since can matter,
# and what has no wheel here is built with what is locked, never with the newest of the index.
LOCKED = ("--no-deps", "--require-hashes", "--no-build-isolation")
FAILED, INTERRUPTED = 1, 128


class Interrupted(BaseException):
    """A signal asked this process to end."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def main(arguments: Sequence[str]) -> int:
    root = Path(arguments[0] if arguments else Path(__file__).parents[2]).resolve()
    environment = root / (arguments[1] if len(arguments) > 1 else ENVIRONMENT)
    if is_up_to_date(root, environment, environment / STAMP):
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with _one_setup_at_a_time(root / LOG) as log:
            _set_up(root, environment, log)
    except SetupError as error:
        return _said(f"setup failed: {error} (all of it: {LOG})", FAILED)
    except OSError as error:
        return _said(f"setup failed: {explained_os_error(error, root)}", FAILED)
    except Interrupted as interrupted:
        code = INTERRUPTED + interrupted.signal_number
        return _said("setup was interrupted: the next run starts again", code)
    return 0


def _set_up(root: Path, environment: Path, log: TextIO) -> None:
    stamp = environment / STAMP
    if is_up_to_date(root, environment, stamp):  # another setup, which this one waited for
        return
    begun = time.monotonic()
    place = environment.relative_to(root)
    print(f"setting up {place} with Python {platform.python_version()}: a minute or two ...")
    sys.stdout.flush()
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            f"{sys.executable} has no venv and ensurepip: install them "
            f"(Debian, Ubuntu: apt install python3-venv), or set PYTHON to another Python"
        )
    stamp.unlink(missing_ok=True)
    for step, command in _steps(root, environment):
        try:
            run(command, log)
        except StepError as failed:
            raise SetupError(explained(step, failed.output, root)) from failed
    stamp.write_text(expected_stamp(root, environment))
    print(f"ready after {time.monotonic() - begun:.0f} s")


def _steps(root: Path, environment: Path) -> Iterator[tuple[str, list[str]]]:
    inside = str(environment / "bin" / "python")
    pip = python(inside, "-m", "pip")
    making = ("-m", "venv", "--clear", "--without-pip", str(environment))
    yield "creating the environment", python(sys.executable, *making)
    # not by venv, which keeps to itself why it failed
    yield "installing pip", python(inside, "-m", "ensurepip", "--upgrade", "--default-pip")
    for lock in (BUILD_LOCK, LOCK):
        yield f"installing {lock}", [*pip, "install", *LOCKED, "-r", str(root / lock)]
    project = ["--no-deps", "--no-build-isolation", "--no-index", "-e", str(root)]
    yield "installing the project", [*pip, "install", *project]
    yield "checking the installation", [*pip, "check"]


@contextmanager
def _one_setup_at_a_time(path: Path) -> Iterator[TextIO]:
    """The log, locked by this process and the programs it starts. Raises OSError."""
    with path.open("a") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another setup is running here: waiting for it ...", flush=True)
            fcntl.flock(log, fcntl.LOCK_EX)
        log.truncate(0)
        yield log


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


def _said(line: str, code: int) -> int:
    print(line, file=sys.stderr)
    return code
