"""Tests never write into a local stack that somebody works with, whatever was exported from it.

A pytest plugin, loaded by tests/conftest.py.
"""

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from deploy.local.operator_settings import Exported, set_aside

EXPORTED = pytest.StashKey[Exported | None]()


def pytest_configure(config: pytest.Config) -> None:
    """Before a test is imported, and before other processes inherit the environment."""
    config.stash[EXPORTED] = set_aside(os.environ)


def pytest_report_header(config: pytest.Config) -> str:
    exported = config.stash[EXPORTED]
    return str(exported) if exported else ""


@pytest.fixture(autouse=True)
def environment_as_it_was() -> Iterator[None]:
    """What a test sets, or a command that it runs in this process, is gone for the next one."""
    with mock.patch.dict(os.environ):
        yield
