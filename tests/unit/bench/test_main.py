"""What a run reports, with rows that need no stack."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result as Ended

from tests.bench import __main__ as bench
from tests.bench import page
from tests.bench.load_generator import Broken
from tests.bench.results import Result
from tests.bench.world import World

SLOW = Result(name="what is slow", value=1.0, unit="commands/s", goal=2_000)
OTHER = Result(name="what comes later", value=3.0, unit="ms")
Kept = list[tuple[list[Result], bool]]


def _good(world: World, rounds: int) -> Sequence[Result]:
    return [SLOW]


def _broken(world: World, rounds: int) -> Sequence[Result]:
    raise Broken("503 from the command API")


def _later(world: World, rounds: int) -> Sequence[Result]:
    return [OTHER]


ROWS = {"good": _good, "broken": _broken, "later": _later}


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kept:
    """What was written, and whether as a whole run."""
    written: Kept = []
    wrk = tmp_path / "wrk"
    wrk.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bench, "ROWS", ROWS)
    monkeypatch.setattr(
        page, "keep", lambda results, plots, *, whole: written.append((results, whole))
    )
    return written


def _run(*arguments: str) -> Ended:
    return CliRunner().invoke(bench.main, arguments)


def test_a_bad_figure_fails_nothing(kept: Kept) -> None:
    ended = _run("--rows", "good")

    assert ended.exit_code == 0
    assert "| what is slow | 1 commands/s |  |  | >= 2000 commands/s | **no** |" in ended.output
    assert kept == [([SLOW], False)]


def test_a_broken_row_fails_the_run_and_leaves_the_others_their_figures(kept: Kept) -> None:
    ended = _run()

    assert ended.exit_code == 1
    assert "broken is broken: 503 from the command API" in ended.output
    assert kept == [([SLOW, OTHER], False)]


def test_rows_are_measured_in_their_own_order(kept: Kept) -> None:
    _run("--rows", "later,good")

    assert kept == [([SLOW, OTHER], False)]


def test_a_row_that_takes_minutes_runs_when_asked(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "WHEN_ASKED", {"broken"})

    assert (_run().exit_code, _run("--rows", "broken").exit_code) == (0, 1)
    assert kept == [([SLOW, OTHER], True), ([], False)]


def test_a_quick_run_measures_every_row_and_keeps_nothing(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "WHEN_ASKED", {"broken"})

    ended = _run("--quick")

    assert ended.exit_code == 1
    assert "what is slow" in ended.output
    assert kept == []
