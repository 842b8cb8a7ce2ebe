"""Answers of SQL as pages show them: as plots, as a table, and where a statement is wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from query_service.pages.plots import Plot, bars_of, line_of
from query_service.sql.measures import MEASURES

SHOWN_ROWS, SHOWN_COLUMNS, SHOWN_CHARACTERS = 200, 50, 300
"""Of a table on a page; the rest is for a download."""

AROUND = 60
"""Characters of a line that are shown on each side of an error."""

NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)")
MOMENT = re.compile(r"(DATE|TIME|TIMESTAMP\w*)( WITH TIME ZONE)?")
"""Types, as DuckDB names them."""


@dataclass(frozen=True, slots=True)
class Plotted:
    """`in_all`: the sum, where it means something. `most`: of a day; None: no day has a value."""

    name: str
    plot: Plot
    in_all: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Series:
    plots: list[Plotted]
    as_of: str | None


def plotted(answer: Mapping[str, Any]) -> Series:
    """Of the API's series of days."""
    days = [date.fromisoformat(each["day"]) for each in answer["days"]]
    values_of = [{**each, **each["violations_by_severity"]} for each in answer["days"]]
    plots = []
    for measure in MEASURES:
        own = {name: [each[name] for each in values_of] for name in measure.columns}
        plot = line_of(days, own) if measure.is_line else bars_of(days, own)
        values = [value for column in own.values() for value in column if value is not None]
        in_all = sum(values) if measure.adds_up else None
        plots.append(Plotted(measure.name, plot, in_all, max(values, default=None)))
    return Series(plots, answer["as_of"])


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str

    @property
    def kind(self) -> str:
        """`number`, `moment`, or `text` for everything else."""
        if NUMBER.fullmatch(self.type):
            return "number"
        return "moment" if MOMENT.fullmatch(self.type) else "text"


@dataclass(frozen=True, slots=True)
class Shown:
    """A table of texts; None: NULL. `all_columns`: how many there are."""

    columns: list[Column]
    rows: list[list[str | None]]
    all_columns: int
    truncated: bool
    as_of: str | None


def shown(answer: Mapping[str, Any]) -> Shown:
    """As much of the API's answer as a page takes."""
    columns = [Column(_short(one["name"]), one["type"]) for one in answer["columns"]]
    rows = [[_text(value) for value in row[:SHOWN_COLUMNS]] for row in answer["rows"]]
    return Shown(columns[:SHOWN_COLUMNS], rows, len(columns), answer["truncated"], answer["as_of"])


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return _short(value if isinstance(value, str) else orjson.dumps(value).decode())


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


@dataclass(frozen=True, slots=True)
class Place:
    """`excerpt`: of the line; `marker`: blanks until the character in question, and a mark."""

    line: int
    column: int
    excerpt: str
    marker: str


def place_in(sql: str, problem: Mapping[str, Any]) -> Place | None:
    """Where the statement is wrong, if the API says so."""
    line, column = problem.get("line"), problem.get("column")
    lines: Sequence[str] = sql.split("\n")
    if line is None or column is None or not 0 < line <= len(lines):
        return None
    text, at = lines[line - 1].replace("\t", " "), column - 1
    start = max(0, at - AROUND)
    before, after = "…" if start else "", "…" if len(text) > at + AROUND else ""
    excerpt = f"{before}{text[start : at + AROUND]}{after}"
    return Place(line, column, excerpt, " " * (len(before) + at - start) + "^")
