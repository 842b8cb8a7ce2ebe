"""The floor under what may not go untested."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from coverage.exceptions import NoDataError

from deploy.checks import coverage_floors
from deploy.checks.coverage_floors import GROUPS, Lines, main, shares

ROOT = Path(__file__).parents[3]
PLACES = [place for places in GROUPS.values() for place in places]
WHOLE = {place + "a.py" if place.endswith("/") else place: (100, 96) for place in PLACES}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, 0),
        ({"command_service/child/a.py": (100, 95)}, 0),
        ({"command_service/child/a.py": (1_000, 949)}, 1),
        ({"query_service/read_store/a.py": (10_000, 9_000)}, 1),
        ({"deploy/cli.py": (1_000, 0)}, 0),
    ],
)
def test_a_group_below_the_floor_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: Mapping[str, Lines],
    code: int,
):
    monkeypatch.setattr(coverage_floors, "counted", lambda: {**WHOLE, **changed})

    assert main() == code
    assert ("below 95.0 %" in capsys.readouterr().out) == (code == 1)


def test_a_group_that_was_not_measured_is_below_the_floor():
    assert shares({"command_service/child/a.py": (10, 10)})["stores"] == 0.0


def test_without_a_measurement_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def nothing() -> Mapping[str, Lines]:
        raise NoDataError("none")

    monkeypatch.setattr(coverage_floors, "counted", nothing)

    assert main() == 2
    assert capsys.readouterr().err == "no coverage data; run `make test`\n"


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_there(place: str):
    assert (ROOT / place).exists()
