"""The local stack that cases hurt: fault points on, short times."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.local import control
from deploy.local.state import StackFolder
from shared.fault_points import VARIABLE

SHORT_TIMES = {
    "TEDDY_RELAY_LEASE_SECONDS": "3",
    "TEDDY_WORKER_SESSION_TIMEOUT_SECONDS": "6",
    "TEDDY_WORKER_STALL_SECONDS": "20",
    "TEDDY_LOG_LEVEL": "DEBUG",
}
"""So that take-overs take seconds, and the logs say as much as they ever do."""


@contextmanager
def stack_for_faults(path: Path) -> Iterator[StackFolder]:
    """Running as long as the block, with fault points and short times."""
    (path / "faults").mkdir(parents=True)
    added = {**SHORT_TIMES, VARIABLE: str(path / "faults")}
    with _environment(added), _running(path) as folder:
        yield folder


@contextmanager
def servers_of(path: Path) -> Iterator[StackFolder]:
    """The servers of a stack that ran before, with what they held."""
    with _running(path, servers_only=True) as folder:
        yield folder


@contextmanager
def environment_of(folder: StackFolder) -> Iterator[None]:
    """The stack's settings, for what runs in this process."""
    state = folder.load()
    assert state is not None
    with _environment(state.environment):
        yield


@contextmanager
def _running(path: Path, *, servers_only: bool = False) -> Iterator[StackFolder]:
    folder = StackFolder(path)
    try:
        control.up(folder, servers_only=servers_only)
        yield folder
    finally:
        control.down(folder)


@contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
