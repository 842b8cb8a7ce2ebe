"""A fault occurs once, where it was set, and nowhere unless the harness asked for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from shared.fault_points import VARIABLE, FaultPoint, arm

REACH_TWICE = """
from shared.fault_points import FaultPoint, reached
print("begins", flush=True)
reached(FaultPoint.RELAY_AFTER_ACK)
reached(FaultPoint.WORKER_AFTER_COMMIT)
print("went through", flush=True)
"""


def test_the_process_that_reaches_the_point_dies_there_and_the_next_one_does_not(tmp_path: Path):
    arm(tmp_path, FaultPoint.WORKER_AFTER_COMMIT)

    injected, spared = _run({VARIABLE: str(tmp_path)}), _run({VARIABLE: str(tmp_path)})

    assert injected.returncode == -signal.SIGKILL
    assert injected.stdout.split("\n") == ["begins", ""]
    assert spared.returncode == 0
    assert "went through" in spared.stdout
    assert not list(tmp_path.iterdir())


def test_without_the_variable_nothing_happens(tmp_path: Path):
    arm(tmp_path, FaultPoint.RELAY_AFTER_ACK)

    assert _run({}).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [FaultPoint.RELAY_AFTER_ACK]


def _run(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE} | variables
    return subprocess.run(
        [sys.executable, "-c", REACH_TWICE],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
