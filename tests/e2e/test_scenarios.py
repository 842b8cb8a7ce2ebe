"""The eight scenarios, each alone, against a whole running stack."""

import os
from pathlib import Path

import pytest

from deploy.local.state import StackFolder, StackState
from examples.__main__ import SCENARIOS
from tests.support.commands import started

NAMES = [module.__name__.rpartition(".")[2] for module in SCENARIOS]


@pytest.mark.parametrize("name", NAMES)
async def test_a_scenario_plays_alone(running: StackState, name: str) -> None:
    played = await started("examples", [name], {**os.environ, **running.environment})

    assert played.code == 0, played
    assert "all scenarios went as expected" in played.out


async def test_a_scenario_finds_the_stack_that_runs_here_and_says_where_to_look(
    services: StackFolder, running: StackState, tmp_path: Path
) -> None:
    (tmp_path / ".teddy").symlink_to(services.path.absolute())
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TEDDY_")}

    played = await started("examples", [NAMES[0]], environment, tmp_path)

    assert played.code == 0, played
    last_lines = "\n".join(played.out.splitlines()[-4:])
    for name in ("command", "query"):
        assert f"http://127.0.0.1:{running.ports[name]}/docs" in last_lines
    assert f"http://127.0.0.1:{running.ports['query']}/sign-in#" in last_lines
    assert "teddy status" in last_lines


async def test_without_a_stack_a_scenario_says_how_to_get_one(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TEDDY_")}

    played = await started("examples", [NAMES[0]], environment, tmp_path)

    assert played.code == 2
    assert "make up" in played.err
    assert len(played.err.splitlines()) == 1
