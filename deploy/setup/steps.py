"""Steps of the setup: what decides that they are needed, their output, what a failure means."""

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

BUILD_LOCK, LOCK = "requirements-build.txt", "requirements-dev.txt"


def expected_stamp(root: Path, environment: Path) -> str:
    """Changes with the locks, with the project's own metadata, when the folder was moved and when
    the Python below it is another one or gone."""
    digest = hashlib.sha256()
    for lock in (BUILD_LOCK, LOCK):
        digest.update((root / lock).read_bytes())
    described = tomllib.loads((root / "pyproject.toml").read_text())
    parts = {
        "project": described.get("project"),
        "build": described.get("build-system"),
        "packages": described.get("tool", {}).get("setuptools"),
        "folder": str(environment),
        "python": os.path.realpath(environment / "bin" / "python"),
    }
    digest.update(json.dumps(parts, sort_keys=True).encode())
    return digest.hexdigest()


def is_up_to_date(root: Path, environment: Path, stamp: Path) -> bool:
    try:
        written = stamp.read_text()
    except (OSError, UnicodeDecodeError):
        return False
    return (environment / "bin" / "python").exists() and written == expected_stamp(
        root, environment
    )


NEEDED_SPACE = "1.5 GB"


class SetupError(Exception):
    """The environment could not be made; the message is one line for a person."""


UNREACHABLE = re.compile(
    r"NewConnectionError|Connection refused|Max retries exceeded|Read timed out|ConnectTimeout"
    r"|Failed to establish a new connection|name resolution|Connection reset|Connection aborted"
    r"|ProxyError|Network is unreachable|IncompleteRead|RemoteDisconnected|HTTP error \d+"
    r"|from versions: none"  # all that pip says where its tries are used up
)
UNTRUSTED = re.compile(r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|SSLError")
FULL = re.compile(r"No space left on device|File too large|Disk quota exceeded")
DENIED = re.compile(
    r"(?:Permission denied|Read-only file system|Operation not permitted)(?::? *'([^']+)')?"
)
OTHER_HASH = re.compile(r"DO NOT MATCH THE HASHES.*?^ {4}(\S+)", re.DOTALL | re.MULTILINE)
NOT_THERE = re.compile(r"No matching distribution found for (\S+)")
BROKEN = re.compile(r"^(\S+ \S+ (?:requires|has requirement) .*)$", re.MULTILINE)


def explained(step: str, output: str, folder: Path) -> str:
    """One line about `step`, which failed with `output`."""
    if FULL.search(output):
        return disk_is_full(folder)
    if found := OTHER_HASH.search(output):
        return (
            f"the index delivered a file for {found[1]} whose hash is not the locked one; "
            "it was not installed: check the index and the proxy, then try again"
        )
    if found := DENIED.search(output):
        return f"no permission to write {found[1] or folder}: grant it to this user, then try again"
    if UNTRUSTED.search(output):
        return (
            "the package index showed a certificate that pip does not trust: "
            "set PIP_CERT to your CA file, then try again"
        )
    if UNREACHABLE.search(output):
        return (
            "the package index did not answer: check the network and the proxy, "
            "or set PIP_INDEX_URL to an index that answers, then try again"
        )
    if found := NOT_THERE.search(output):
        return f"the package index has no {found[1]} for this Python and machine"
    if found := BROKEN.search(output):
        return f"the locked packages are incompatible: {found[1]}"
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    return f"{step} failed: {last or 'no output'}"


def explained_os_error(error: OSError, folder: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
        return disk_is_full(folder)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        place = error.filename or folder
        return f"no permission to write {place}: grant it to this user, then try again"
    return f"{error.filename or folder}: {error.strerror}"


def disk_is_full(folder: Path) -> str:
    return (
        f"no space left: about {NEEDED_SPACE} is needed in {folder}, "
        f"and some in {tempfile.gettempdir()} and pip's cache; free some space, then try again"
    )


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
    """Written where there is room; a full disk is reported by the program that failed on it."""
    with suppress(OSError):
        log.write(text)
        log.flush()


def python(interpreter: str, *arguments: str) -> list[str]:
    """Isolated: what PYTHONPATH or a user's own packages contain would count as installed."""
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
