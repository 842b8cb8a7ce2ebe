"""Plots of days: where bars, lines, ticks and dates lie. What they look like is the style sheet's.

Lengths are units of a drawing of WIDTH by HEIGHT, which is scaled to the place that it gets.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 400.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 24.0, 12.0, 28.0
GROUND = HEIGHT - BOTTOM
INTERVALS = 4
"""Most of them between the ticks of the values."""

DATES = 5
"""Most of them below the days."""

DAYS_OF_WEEK = 7
GAP, LEAST_SLOT = 0.2, 3.0
"""Of the place of a day, between two bars; none where that place is narrower."""

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Shape:
    """One column as the path of an SVG. `area`: below a line, else empty."""

    name: str
    path: str
    area: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """Where a day lies, and its value in each column; None: it has none."""

    x: float
    day: date
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Plot:
    """`ticks`: height and value; `dates`: middle and day. `slot`: the width of a day."""

    shapes: list[Shape]
    ticks: list[tuple[float, float]]
    dates: list[tuple[float, date]]
    days: list[Day]
    slot: float


def step_of(most: float, *, whole: bool) -> float:
    """Of the ticks from 0 to `most`: 1, 2 or 5, or ten times as much, or a tenth."""
    if most <= 0:
        return 1.0
    rough = most / INTERVALS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * (1 - 1e-9))
    return max(1.0, step) if whole else step


def ticks_of(most: float, *, whole: bool) -> list[float]:
    """From 0 to the first that is not less than `most`."""
    step = step_of(most, whole=whole)
    count = max(1, math.ceil(most / step - 1e-9))
    return [float(f"{step * each:.10g}") for each in range(count + 1)]


def bars_of(days: Sequence[date], columns: Mapping[str, Values]) -> Plot:
    """A bar for each day; those of several columns lie on one another."""
    totals = [sum(value or 0 for value in values) for values in zip(*columns.values(), strict=True)]
    scale = _Scale(len(days), totals)
    base, shapes = [0.0] * len(days), []
    for name, values in columns.items():
        tops = [low + (value or 0) for low, value in zip(base, values, strict=True)]
        shapes.append(Shape(name, scale.bars(base, tops)))
        base = tops
    return _plot(days, columns, scale, shapes)


def line_of(days: Sequence[date], columns: Mapping[str, Values]) -> Plot:
    """A line through the days for each column, and the area below it."""
    scale = _Scale(len(days), [value or 0 for values in columns.values() for value in values])
    shapes = []
    for name, values in columns.items():
        line = scale.line([value or 0 for value in values])
        area = f"{line}V{GROUND:g}H{scale.middle(0):.5g}Z"
        shapes.append(Shape(name, line, area))
    return _plot(days, columns, scale, shapes)


class _Scale:
    """From days and values to places."""

    def __init__(self, days: int, values: Sequence[float]) -> None:
        whole = all(value == int(value) for value in values)
        self.ticks = ticks_of(max(values, default=0), whole=whole)
        self.slot = (WIDTH - LEFT - RIGHT) / max(1, days)

    def left(self, day: int) -> float:
        return LEFT + day * self.slot

    def middle(self, day: int) -> float:
        return self.left(day) + self.slot / 2

    def height(self, value: float) -> float:
        """From the top."""
        return GROUND - (GROUND - TOP) * value / self.ticks[-1]

    def bars(self, base: Sequence[float], tops: Sequence[float]) -> str:
        gap = self.slot * GAP if self.slot >= LEAST_SLOT else 0.0
        side, width = gap / 2, self.slot - gap
        parts = []
        for day, (low, top) in enumerate(zip(base, tops, strict=True)):
            if top > low:
                place = f"M{self.left(day) + side:.5g} {self.height(low):.5g}"
                parts.append(f"{place}V{self.height(top):.5g}h{width:.4g}V{self.height(low):.5g}Z")
        return "".join(parts)

    def line(self, values: Sequence[float]) -> str:
        points = (f"{self.middle(at):.5g} {self.height(one):.5g}" for at, one in enumerate(values))
        return "M" + "L".join(points)


def _plot(
    days: Sequence[date], columns: Mapping[str, Values], scale: _Scale, shapes: list[Shape]
) -> Plot:
    by_day = zip(*columns.values(), strict=True)
    placed = [
        Day(round(scale.left(at), 2), day, dict(zip(columns, values, strict=True)))
        for at, (day, values) in enumerate(zip(days, by_day, strict=True))
    ]
    return Plot(
        shapes,
        [(round(scale.height(value), 2), value) for value in scale.ticks],
        [(round(scale.middle(at), 2), days[at]) for at in dated(len(days))],
        placed,
        round(scale.slot, 2),
    )


def dated(days: int) -> list[int]:
    """Which days have their date below: the last one, and whole weeks before it."""
    weeks = max(1, math.ceil(days / (DAYS_OF_WEEK * DATES)))
    return sorted(range(days - 1, -1, -DAYS_OF_WEEK * weeks))
