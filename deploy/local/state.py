"""What is known about a local stack: `stack.json` in its folder, written by the supervisor."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

PATIENCE_SECONDS, POLL_SECONDS = 0.5, 0.02
PREPARING, STARTING = "preparing", "starting"
"""`preparing`: something is downloaded first; the detail says what."""

READY, FAILED, STOPPED = "ready", "failed", "stopped"

PRIVATE = 0o700
"""Keys, logs and databases of the stack are for its owner only."""


class AlreadyRunning(Exception):
    """Another supervisor holds this folder."""


@dataclass(slots=True)
class ProcessState:
    """A supervised process. `created`: its start time by the system, to know it again."""

    name: str
    address: str
    pid: int = 0
    created: float = 0.0
    restarts: int = 0


@dataclass(slots=True)
class StackState:
    """`environment` holds every TEDDY_* variable that the stack's processes run with. `broker`
    names the Kafka broker that the stack started; empty when it started none."""

    status: str = STARTING
    detail: str = ""
    broker: str = ""
    supervisor_pid: int = 0
    supervisor_created: float = 0.0
    servers_only: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[ProcessState] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StackFolder:
    """The folder of one stack: state, logs, data, keys. Nothing is kept anywhere else."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def state_file(self) -> Path:
        return self.path / "stack.json"

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    def load(self) -> StackState | None:
        """The state as last written; None when there is none that can be read."""
        try:
            content: dict[str, Any] = orjson.loads(self.state_file.read_bytes())
            processes = [ProcessState(**process) for process in content.pop("processes")]
            return StackState(**content, processes=processes)
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return None

    def save(self, state: StackState) -> None:
        """Replace the file in one step: a reader sees the old or the new one."""
        new = self.state_file.with_suffix(".new")
        new.write_bytes(orjson.dumps(asdict(state), option=orjson.OPT_INDENT_2))
        new.replace(self.state_file)

    def create(self) -> None:
        """For this user alone; a folder that was there before keeps its own mode, but what is made
        in it does not depend on that."""
        self.path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        for folder in (self.logs, self.data, self.keys):
            folder.mkdir(mode=PRIVATE, exist_ok=True)
            folder.chmod(PRIVATE)

    def is_held(self) -> bool:
        """Whether a supervisor runs on this folder."""
        try:
            handle = os.open(self._lock, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder; the system lets go of it when the process ends, however it ends."""
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        # a process that only calls `is_held` has the lock for a moment
        patience = time.monotonic() + PATIENCE_SECONDS
        try:
            while not _locked(handle):
                if time.monotonic() > patience:
                    raise AlreadyRunning(f"a stack runs in {self.path} already")
                time.sleep(POLL_SECONDS)
            yield
        finally:
            os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
