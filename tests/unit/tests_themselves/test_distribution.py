"""What stays together in a parallel run, and by how many it is done."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.distribution import SERVERS, pytest_xdist_auto_num_workers, unit_of

STACK = "the common stack"


@pytest.mark.parametrize(
    ("file", "unit"),
    [
        ("tests/e2e/test_whole_path.py", STACK),
        ("tests/e2e/test_broker_away.py", STACK),
        ("tests/e2e/test_rebuild.py", "tests/e2e/test_rebuild.py"),
        (
            "tests/integration/containers/test_mongodb.py",
            "tests/integration/containers/test_mongodb.py",
        ),
        ("tests/integration/relay/test_relay.py", None),
        ("tests/contract/test_claim_store.py", None),
        (
            "tests/unit/command_service/child/test_profile.py",
            "tests/unit/command_service/child/test_profile.py",
        ),
    ],
)
def test_what_shares_a_stack_or_a_fixture_stays_together(file: str, unit: str | None) -> None:
    assert unit_of(file) == unit


@pytest.mark.parametrize(
    ("asked", "variables", "workers"),
    [
        ("auto", {}, 6),
        ("logical", {}, 3),
        ("auto", {"PYTEST_XDIST_AUTO_NUM_WORKERS": "7"}, 7),
        ("auto", dict.fromkeys(SERVERS, "of somebody's own"), 0),
        ("auto", {SERVERS[0]: "of somebody's own"}, 6),
    ],
)
def test_there_are_more_workers_than_cores_for_tests_that_wait(
    monkeypatch: pytest.MonkeyPatch, asked: str, variables: dict[str, str], workers: int
) -> None:
    for name in ("PYTEST_XDIST_AUTO_NUM_WORKERS", *SERVERS):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    config: Any = SimpleNamespace(option=SimpleNamespace(numprocesses=asked))

    assert pytest_xdist_auto_num_workers(config) == workers
