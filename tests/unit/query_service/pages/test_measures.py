"""The statements of the plots and the examples, as the engine runs them."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from query_service.pages.measures import EXAMPLES, PERIODS, example
from query_service.pages.sql_answers import Series, plotted
from query_service.queries.get_system_series import GetSystemSeries, GetSystemSeriesHandler
from query_service.queries.visible_children import Scope
from query_service.sql.daily import DailySeries
from query_service.sql.measures import MEASURES
from query_service.sql.runner import SqlFormat, SqlLimits, SqlRunner
from shared.clock import utc_now
from tests.support.query_side import ANALYST
from tests.support.sql_snapshot import snapshot_of

NOW = datetime.now(UTC).replace(tzinfo=None, hour=12, minute=0, second=0, microsecond=0)
LIMITS = SqlLimits(seconds=60)
"""For a machine that is busy with other tests."""


def ago(days: int, hour: int = 12) -> datetime:
    return NOW - timedelta(days=days, hours=12 - hour)


def on(days: int) -> date:
    return ago(days).date()


# 3 was deactivated; what was erased is in no table
CHILDREN = [
    {"child": 1, "status": "active", "registered_at": ago(400), "conversations": 4},
    {"child": 2, "status": "active", "registered_at": ago(2, 0), "conversations": 1},
    {"child": 3, "status": "deactivated", "registered_at": ago(2, 23), "conversations": 0},
]
ACTIVITY = [
    {"child": 1, "day": on(400), "conversations": 9, "messages": 90, "minutes": 90.0},
    {"child": 1, "day": on(29), "conversations": 3, "messages": 7, "minutes": 12.25},
    {"child": 1, "day": on(1), "conversations": 1, "messages": 0, "minutes": 0.0},
    {"child": 2, "day": on(1), "conversations": 1, "messages": 5, "minutes": 7.5},
    {"child": 3, "day": on(2), "conversations": 0, "messages": 0, "minutes": 0.0},
]
VIOLATIONS = [
    {"child": 1, "severity": "low", "happened_at": ago(3, 10), "resolved_at": ago(3, 12)},
    {"child": 1, "severity": "low", "happened_at": ago(4, 10), "resolved_at": ago(3, 10)},
    {"child": 2, "severity": "critical", "happened_at": ago(3, 9), "resolved_at": ago(3, 9)},
    {"child": 2, "severity": "high", "happened_at": ago(3), "resolved_at": None},
    {"child": 3, "severity": "medium", "happened_at": ago(60), "resolved_at": ago(59)},
]
ROWS = {"children": CHILDREN, "activity": ACTIVITY, "violations": VIOLATIONS}


@pytest.fixture
async def runner() -> AsyncIterator[SqlRunner]:
    runner = SqlRunner(LIMITS, time.monotonic, snapshot_of(ROWS))
    yield runner
    await runner.close()


async def answer(runner: SqlRunner, sql: str) -> dict[str, Any]:
    found = await runner.run(sql, SqlFormat.JSON)
    return {"columns": found.columns, "rows": orjson.loads(found.body), "as_of": found.as_of}


async def series(runner: SqlRunner, days: int) -> Series:
    """As the page shows what the API answers."""
    handler = GetSystemSeriesHandler(DailySeries(runner, time.monotonic), utc_now)
    asked = GetSystemSeries(utc_now().date() - timedelta(days=days - 1))
    found = await handler.handle(asked, Scope.of(ANALYST, "GetSystemSeries"))
    return plotted(found.content.model_dump(mode="json"))


def something(series: Series, name: str) -> dict[date, dict[str, float | None]]:
    """Of the days that have something."""
    (found,) = (one for one in series.plots if one.name == name)
    return {day.day: dict(day.values) for day in found.plot.days if any(day.values.values())}


async def test_each_day_has_what_happened_on_it(runner: SqlRunner):
    found = await series(runner, 30)
    assert something(found, "registrations") == {on(2): {"registrations": 2}}
    assert something(found, "active_children") == {
        on(29): {"active_children": 1},
        on(2): {"active_children": 1},
        on(1): {"active_children": 2},
    }
    assert something(found, "conversations") == {
        on(29): {"conversations": 3},
        on(1): {"conversations": 2},
    }
    assert something(found, "messages") == {on(29): {"messages": 7}, on(1): {"messages": 5}}
    assert something(found, "minutes") == {on(29): {"minutes": 12.3}, on(1): {"minutes": 7.5}}
    assert something(found, "violations") == {
        on(4): {"low": 1, "medium": 0, "high": 0, "critical": 0},
        on(3): {"low": 1, "medium": 0, "high": 1, "critical": 1},
    }
    assert something(found, "resolved_violations") == {on(3): {"resolved_violations": 3}}
    assert something(found, "hours_to_resolution") == {on(3): {"hours_to_resolution": 2.0}}


@pytest.mark.parametrize("days", PERIODS)
async def test_every_day_until_today_is_there_once(runner: SqlRunner, days: int):
    before = datetime.now(UTC).date()
    found = await series(runner, days)
    for one in found.plots:
        shown = [each.day for each in one.plot.days]
        assert shown == [shown[0] + timedelta(days=each) for each in range(days)]
        assert before <= shown[-1] <= datetime.now(UTC).date()


async def test_days_without_anything_are_zero_and_without_a_resolution_have_no_value(
    runner: SqlRunner,
):
    found = await series(runner, 30)
    for one in found.plots:
        (day,) = (each for each in one.plot.days if each.day == on(20))
        nothing = None if one.name == "hours_to_resolution" else 0
        assert set(day.values.values()) == {nothing}


async def test_sums_are_those_of_the_tables(runner: SqlRunner):
    sql = """
        SELECT (SELECT count(*) FROM children WHERE registered_at >= current_date - 365),
          (SELECT sum(conversations) FROM activity WHERE day >= current_date - 365),
          (SELECT round(sum(minutes), 1) FROM activity WHERE day >= current_date - 365),
          (SELECT count(*) FROM violations)
    """
    (held,) = (await answer(runner, sql))["rows"]
    in_all = {one.name: one.in_all for one in (await series(runner, 366)).plots}
    names = ("registrations", "conversations", "minutes", "violations")
    assert [in_all[name] for name in names] == pytest.approx(held, abs=0.2)
    assert (in_all["active_children"], in_all["hours_to_resolution"]) == (None, None)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
async def test_each_measure_opened_as_sql_says_the_same_as_its_plot(runner: SqlRunner, measure):
    alone = await answer(runner, example(measure.name, 90))
    (plot,) = (one.plot for one in (await series(runner, 90)).plots if one.name == measure.name)
    assert [column["name"] for column in alone["columns"]] == ["day", *measure.columns]
    assert alone["rows"] == [[day.day.isoformat(), *day.values.values()] for day in plot.days]


@pytest.mark.parametrize("name", EXAMPLES)
async def test_each_example_runs(runner: SqlRunner, name: str):
    found = await answer(runner, example(name, 30))
    assert len(found["columns"]) >= 3


async def test_nothing_at_all_is_days_of_zeros():
    runner = SqlRunner(LIMITS, time.monotonic, snapshot_of({}))
    found = await series(runner, 30)
    await runner.close()
    assert all(something(found, one.name) == {} for one in found.plots)
