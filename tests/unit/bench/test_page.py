"""docs/performance.md shows what bench/results.json holds."""

from pathlib import Path

import orjson
import pytest

from deploy.checks.configuration import with_generated
from tests.bench import page
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.rows import ROWS, WHEN_ASKED

CPU = Result(name="CPU", value=150.0, unit="µs", baseline=100.0, goal=1.6, at_most=True)
RATE = Result(name="rate", value=1_234.5, unit="commands/s", goal=2_000)
PLOT = Plot(title="Latency", x=["p50", "p99"], y="ms", lines={"here": [1.5, 30.0]})


def test_the_page_is_what_the_results_give() -> None:
    text = page.PAGE.read_text()

    assert text == with_generated(text, page.MARK, page.content())


def test_a_row_shows_value_baseline_ratio_and_goal() -> None:
    rows = page.table([CPU.as_json(), RATE.as_json()]).splitlines()[2:]

    assert rows == [
        "| CPU | 150 µs | 100 | 1.50 x | <= 1.6 x | yes |",
        "| rate | 1,234 commands/s |  |  | >= 2000 commands/s | **no** |",
    ]


def test_a_plot_ends_above_its_largest_value() -> None:
    drawn = PLOT.markdown().splitlines()

    assert drawn[0] == "Latency:"
    assert '  x-axis ["p50", "p99"]' in drawn
    assert '  y-axis "ms" 0 --> 50' in drawn
    assert "  line [1.5, 30]" in drawn


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository's files with nothing measured yet."""
    for name, file in (("RESULTS", "results.json"), ("PLOTS", "plots.json"), ("PAGE", "page.md")):
        monkeypatch.setattr(page, name, tmp_path / file)
    (tmp_path / "page.md").write_text("<!-- bench: begin -->\n<!-- bench: end -->\n")
    return tmp_path


def _names(place: Path) -> list[str]:
    return [one["name"] for one in orjson.loads((place / "results.json").read_bytes())]


def test_what_a_run_of_some_rows_did_not_measure_stays(place: Path) -> None:
    page.keep([CPU, RATE], [PLOT], whole=True)

    page.keep([Result(name="rate", value=3_000, unit="commands/s", goal=2_000)], [], whole=False)

    assert _names(place) == ["CPU", "rate"]
    assert "| rate | 3,000 commands/s |  |  | >= 2000 commands/s | yes |" in _text(place)
    assert "xychart-beta" in _text(place)


def test_a_whole_run_replaces_everything(place: Path) -> None:
    page.keep([CPU, RATE], [PLOT], whole=True)

    page.keep([RATE], [], whole=True)

    assert _names(place) == ["rate"]
    assert "xychart-beta" not in _text(place)


def _text(place: Path) -> str:
    return (place / "page.md").read_text()


def test_rows_that_run_only_when_asked_are_rows() -> None:
    assert set(ROWS) >= WHEN_ASKED
