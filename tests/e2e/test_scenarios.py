"""The eight scenarios, each alone, against a whole running stack."""

import os
import subprocess
import sys

import pytest

from deploy.local.state import StackFolder, StackState
from examples.__main__ import SCENARIOS

NAMES = [module.__name__.rpartition(".")[2] for module in SCENARIOS]


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_plays_alone(running: StackState, name: str) -> None:
    played = subprocess.run(
        [sys.executable, "-m", "examples", name],
        env={**os.environ, **running.environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert played.returncode == 0, played.stdout + played.stderr
    assert "all scenarios went as expected" in played.stdout


def test_a_scenario_finds_the_stack_that_runs_here_and_says_where_to_look(
    services: StackFolder, running: StackState, tmp_path
) -> None:
    (tmp_path / ".teddy").symlink_to(services.path.absolute())
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TEDDY_")}

    played = subprocess.run(
        [sys.executable, "-m", "examples", NAMES[0]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert played.returncode == 0, played.stdout + played.stderr
    last_lines = "\n".join(played.stdout.splitlines()[-3:])
    for name in ("command", "query"):
        assert f"http://127.0.0.1:{running.ports[name]}/docs" in last_lines
    assert "teddy status" in last_lines


def test_without_a_stack_a_scenario_says_how_to_get_one(tmp_path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TEDDY_")}

    played = subprocess.run(
        [sys.executable, "-m", "examples", NAMES[0]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert played.returncode == 2
    assert "make up" in played.stderr
    assert len(played.stderr.splitlines()) == 1
