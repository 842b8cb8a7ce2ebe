"""Refuses a run that the disk has no room for, before its servers end one after the other.

A pytest plugin, loaded by tests/conftest.py.
"""

import shutil
import tempfile

import pytest

NEEDED_BYTES = 4 * 10**9
"""What the servers' data of a whole run need at once: 2.2 GB were seen."""


def pytest_configure(config: pytest.Config) -> None:
    """In the process that deals out the tests; its workers ask no more."""
    if not hasattr(config, "workerinput"):
        refuse_without_room(tempfile.gettempdir())


def refuse_without_room(folder: str) -> None:
    """Raises pytest.UsageError, which ends the run with one line and exit code 4."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise pytest.UsageError(
            f"{folder} has {free / 10**9:.1f} GB free, and the servers of the tests need up to"
            f" {NEEDED_BYTES / 10**9:.0f} GB: make room, or name another folder with TMPDIR"
        )
