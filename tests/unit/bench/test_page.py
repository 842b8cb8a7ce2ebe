"""docs/performance.md shows what bench/results.json holds."""

from pathlib import Path

import orjson
import pytest

from tests.bench import page
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.rows import ROWS, WHEN_ASKED
from tests.bench.sizing import CACHED, COMMAND, QUERY, sizing

CPU = Result(name="CPU", value=150.0, unit="µs", baseline=100.0, goal=1.6, at_most=True)
RATE = Result(name="rate", value=1_234.5, unit="commands/s", goal=2_000)
MARKS = ("bench", "by process", "sizing")
PLOT = Plot(title="Latency", x=["p50", "p99"], y="ms", lines={"here": [1.5, 30.0]})


def test_the_page_is_what_the_results_give() -> None:
    text = page.PAGE.read_text()

    assert text == page.updated(text)


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
    marks = (f"<!-- {mark}: {end} -->\n" for mark in MARKS for end in ("begin", "end"))
    (tmp_path / "page.md").write_text("".join(marks))
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


def test_each_process_has_its_share_of_an_operation() -> None:
    names = [f"CPU a {what}, {name}" for what in page.SPENT_ON for name in page.PROCESSES]
    measured = [{"name": name, "value": 100.0 + number} for number, name in enumerate(names)]

    rows = page.by_process(measured).splitlines()

    assert rows[0] == "| µs of CPU | registration | RecordMessage |"
    assert rows[2] == "| command process | 100 | 106 |"
    assert page.by_process(measured[1:]) == ""


def test_the_worked_example_multiplies_rates_and_microseconds() -> None:
    carried = {
        "command process": 250.0,
        "relay": 50.0,
        "worker": 100.0,
        "mongod": 200.0,
        "kafka": 40.0,
    }
    measured = {f"{COMMAND}{process}": value for process, value in carried.items()}
    measured |= {CACHED: 60.0, f"{QUERY}query process": 1_000.0, f"{QUERY}mongod": 200.0}

    rows = sizing([{"name": name, "value": value} for name, value in measured.items()])

    # 2,315 commands/s of 250 µs are 0.58 cores; used to 60 %: 0.965
    assert "| command process | 250 | 0 | 1.0 |" in rows
    # 463 queries/s of 0.85 x 60 + 0.15 x 1,000 µs
    assert "| query process | 0 | 201 | 0.2 |" in rows
    assert "carries 12,000 commands a second" in rows


def test_the_worked_example_needs_its_measurements() -> None:
    assert sizing([CPU.as_json()]) == ""
