"""Where bars, lines, ticks and dates of a plot lie."""

import re
from datetime import date, timedelta

import pytest

from query_service.pages.plots import (
    GROUND,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Plot,
    bars_of,
    dated,
    line_of,
    ticks_of,
)

FIRST = date(2026, 2, 27)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=each) for each in range(count)]


def numbers(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", path)]


def bars(plot: Plot, name: str) -> list[tuple[float, float, float, float]]:
    """Left, bottom, top and width of each."""
    (path,) = (shape.path for shape in plot.shapes if shape.name == name)
    rows = (numbers(bar) for bar in path.split("Z") if bar)
    return [(left, bottom, top, width) for left, bottom, top, width, _ in rows]


@pytest.mark.parametrize(
    ("most", "whole", "ticks"),
    [
        (0, True, [0, 1]),
        (1, True, [0, 1]),
        (4, True, [0, 1, 2, 3, 4]),
        (5, True, [0, 2, 4, 6]),
        (100, True, [0, 50, 100]),
        (183_000, True, [0, 50_000, 100_000, 150_000, 200_000]),
        (0.3, False, [0, 0.1, 0.2, 0.3]),
        (7.5, False, [0, 2, 4, 6, 8]),
    ],
)
def test_ticks_are_round_numbers_up_to_the_greatest_value(
    most: float, whole: bool, ticks: list[float]
):
    assert ticks_of(most, whole=whole) == ticks


@pytest.mark.parametrize("most", [1, 3, 7, 12, 99, 101, 4_999, 5_001, 1e6, 2.5e9])
def test_there_are_few_ticks_and_no_value_is_above_them(most: float):
    ticks = ticks_of(most, whole=True)
    assert 2 <= len(ticks) <= 5
    assert ticks[-1] >= most


def test_bars_are_as_high_as_their_values():
    plot = bars_of(days(4), {"n": [4, 0, 1, 2]})
    first, third, last = bars(plot, "n")
    heights = [bottom - top for _, bottom, top, _ in (first, third, last)]
    assert first[2] == pytest.approx(TOP)
    assert heights == pytest.approx([GROUND - TOP, (GROUND - TOP) / 4, (GROUND - TOP) / 2])
    assert {bar[1] for bar in (first, third, last)} == {GROUND}


@pytest.mark.parametrize("count", [1, 30, 90, 366])
def test_every_bar_is_in_the_place_of_its_day_and_inside_the_drawing(count: int):
    plot = bars_of(days(count), {"n": [1] * count})
    drawn = bars(plot, "n")
    assert len(drawn) == count
    assert drawn[0][0] >= LEFT
    assert drawn[-1][0] + drawn[-1][3] <= WIDTH - RIGHT + 0.1
    for (left, _, _, width), day in zip(drawn, plot.days, strict=True):
        assert day.x - 0.1 <= left
        assert left + width <= day.x + plot.slot + 0.1


def test_columns_lie_on_one_another():
    plot = bars_of(days(2), {"low": [1, 2], "high": [3, 0]})
    low, high = bars(plot, "low"), bars(plot, "high")
    assert high[0][1] == low[0][2]
    assert high[0][2] == pytest.approx(TOP)
    assert len(high) == 1


def test_a_day_without_a_value_has_no_bar_and_is_known_to_have_none():
    plot = bars_of(days(3), {"hours": [1.5, None, 0.0]})
    assert len(bars(plot, "hours")) == 1
    assert [day.values["hours"] for day in plot.days] == [1.5, None, 0.0]


def test_a_line_goes_through_the_middle_of_each_day_and_its_area_down_to_the_ground():
    plot = line_of(days(3), {"n": [2, 0, 1]})
    (shape,) = plot.shapes
    points = numbers(shape.path)
    slot = (WIDTH - LEFT - RIGHT) / 3
    assert points[::2] == pytest.approx([LEFT + slot * part for part in (0.5, 1.5, 2.5)], abs=0.1)
    assert points[1::2] == pytest.approx([TOP, GROUND, (TOP + GROUND) / 2])
    assert shape.area.startswith(shape.path)
    assert shape.area.endswith("Z")


def test_nothing_at_all_is_an_empty_drawing_with_ticks():
    plot = bars_of(days(30), {"n": [0] * 30})
    assert [shape.path for shape in plot.shapes] == [""]
    assert [value for _, value in plot.ticks] == [0, 1]
    assert all(0 < height < HEIGHT for height, _ in plot.ticks)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1, [0]),
        (30, [1, 8, 15, 22, 29]),
        (90, [5, 26, 47, 68, 89]),
        (366, [57, 134, 211, 288, 365]),
    ],
)
def test_the_last_day_is_dated_and_whole_weeks_before_it(count: int, shown: list[int]):
    assert dated(count) == shown


def test_days_go_on_over_the_end_of_a_month_and_a_leap_day():
    leap = [date(2028, 2, 27) + timedelta(days=each) for each in range(4)]
    plot = bars_of(leap, {"n": [1, 2, 3, 4]})
    assert [day.day.isoformat()[5:] for day in plot.days] == ["02-27", "02-28", "02-29", "03-01"]
