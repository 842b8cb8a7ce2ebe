"""Programs as steps: their output goes to the log, and they end when the setup ends."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TextIO

TIME_TO_CLEAN_UP_SECONDS = 3.0


class StepError(Exception):
    """A program ended with another exit code than 0."""

    def __init__(self, code: int, output: str) -> None:
        super().__init__(f"exit code {code}")
        self.code = code
        self.output = output


def run(command: Sequence[str], log: TextIO) -> str:
    """All that `command` printed. Raises StepError unless it ended with 0.

    It inherits the log's descriptor and so its lock: when this process is killed outright, the
    next setup waits until the program that was left behind has ended.
    """
    record(log, "$ " + " ".join(command) + "\n")
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603 - the interpreter and arguments of our own
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=_environment(os.environ),
        pass_fds=[log.fileno()],
        process_group=0,  # with all that it starts, so that nothing of it goes on alone
    ) as child:
        try:
            for line in child.stdout or ():
                lines.append(line)
                record(log, line)
            code = child.wait()
        except BaseException:
            _end(child)
            raise
    if code != 0:
        _end(child)
        raise StepError(code, "".join(lines))
    return "".join(lines)


def record(log: TextIO, text: str) -> None:
    """Written where there is room; a full disk is told by what failed on it."""
    with suppress(OSError):
        log.write(text)
        log.flush()


def python(interpreter: str, *arguments: str) -> list[str]:
    """Isolated: what PYTHONPATH or a user's own packages bring would pass for installed."""
    return [interpreter, "-I", *arguments]


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """pip's own settings (index, proxy, certificates, cache) stay; those that install elsewhere
    or resolve anew do not."""
    elsewhere = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_REQUIREMENT"}
    kept = {name: value for name, value in given.items() if name not in elsewhere}
    return {**kept, "PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _end(child: "subprocess.Popen[str]") -> None:
    """The whole group ends: first asked, so that pip removes its temporary files, then made to."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(child.pid, signal.SIGINT)
        child.wait(TIME_TO_CLEAN_UP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
