"""Tests never write into a local stack that somebody works with, whatever was exported from it.

A pytest plugin, loaded by tests/conftest.py.
"""

import os

import pytest

from deploy.local.operator_settings import Exported, set_aside

EXPORTED = pytest.StashKey[Exported | None]()


def pytest_configure(config: pytest.Config) -> None:
    """Before a test is imported, and before other processes inherit the environment."""
    config.stash[EXPORTED] = set_aside(os.environ)


def pytest_report_header(config: pytest.Config) -> str:
    exported = config.stash[EXPORTED]
    return str(exported) if exported else ""
