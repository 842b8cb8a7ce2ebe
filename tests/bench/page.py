"""Table and plots of docs/performance.md, from bench/results.json and bench/plots.json."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from deploy.checks.configuration import with_generated
from tests.bench.other_tree import HERE
from tests.bench.plots import Plot, read_plots, write_plots
from tests.bench.results import Result
from tests.bench.sizing import sizing

PAGE = HERE / "docs" / "performance.md"
RESULTS, PLOTS = HERE / "bench" / "results.json", HERE / "bench" / "plots.json"
HEAD = "| what | measured | baseline | ratio | goal | met |\n|---|---:|---:|---:|---:|---|"
T = TypeVar("T")
SPENT_ON = ("registration", "RecordMessage")
PROCESSES = ("command process", "mongod", "kafka", "relay", "worker", "whole system")
MET = {True: "yes", False: "**no**", None: ""}


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Markdown, a row each; `results` as in bench/results.json."""
    return "\n".join([HEAD, *map(_row, results)])


def by_process(results: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: what each process spends on an operation. Empty before they were measured."""
    found = {one["name"]: one["value"] for one in results}
    if not all(f"CPU a {what}, {name}" in found for what in SPENT_ON for name in PROCESSES):
        return ""
    head = f"| µs of CPU | {' | '.join(SPENT_ON)} |\n|---|{'---:|' * len(SPENT_ON)}"
    rows = (
        f"| {name} | {' | '.join(_figure(found[f'CPU a {what}, {name}']) for what in SPENT_ON)} |"
        for name in PROCESSES
    )
    return "\n".join([head, *rows])


def _row(one: Mapping[str, Any]) -> str:
    baseline, unit = one["baseline"], one["unit"]
    ratio = "" if baseline is None else f"{one['value'] / baseline:.2f} x"
    beside = "" if baseline is None else _figure(baseline)
    cells = [one["name"], f"{_figure(one['value'])} {unit}", beside, ratio, one["goal"] or ""]
    return f"| {' | '.join([*cells, MET[one['met']]])} |"


def _figure(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def updated(text: str) -> str:
    """The page as both files say it. Raises ValueError when it has no place for them."""
    results = orjson.loads(RESULTS.read_bytes())
    drawn = [plot.markdown() for plot in read_plots(PLOTS)]
    text = with_generated(text, "bench", "\n\n".join([table(results), *drawn]))
    text = with_generated(text, "by process", by_process(results))
    return with_generated(text, "sizing", sizing(results))


def keep(results: Sequence[Result], plots: Sequence[Plot], *, whole: bool) -> None:
    """Write both files and the page. Unless this was a `whole` run, what it did not measure stays
    as it was."""
    found, drawn = [each.as_json() for each in results], list(plots)
    if not whole and RESULTS.exists():
        found = _merged(orjson.loads(RESULTS.read_bytes()), found, lambda one: str(one["name"]))
        drawn = _merged(read_plots(PLOTS), drawn, lambda plot: plot.title)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    write_plots(drawn, PLOTS)
    PAGE.write_text(updated(PAGE.read_text()))


def _merged(old: Sequence[T], new: Sequence[T], name: Callable[[T], str]) -> list[T]:
    """In the old order, each replaced by the new one of its name; new names at the end."""
    by_name = {name(one): one for one in old} | {name(one): one for one in new}
    return list(by_name.values())
