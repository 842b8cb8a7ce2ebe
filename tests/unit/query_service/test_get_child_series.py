"""What happened to a child, day by day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from query_service.queries.get_child_series import (
    MOST_DAYS,
    GetChildSeries,
    GetChildSeriesHandler,
)
from query_service.queries.visible_children import Scope, VisibleChildren
from shared.auth.access import Principal
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent
from tests.support.read_model_builders import NOON, violation

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
THREE_DAYS = GetChildSeries("lena", date(2026, 11, 21), date(2026, 11, 23))
NONE = {"low": 0, "medium": 0, "high": 0, "critical": 0}


async def at_noon(side: QuerySide, query: GetChildSeries, now: datetime = NOON) -> Any:
    """The handler's answer at a known moment."""
    children = VisibleChildren(side.store, side.keyring)
    handler = GetChildSeriesHandler(side.store, children, lambda: now, 900)
    return await handler.handle(query, Scope.of(ADMIN, "GetChildSeries"))


async def test_each_day_has_its_numbers_and_a_quiet_one_zeros(side: QuerySide):
    # given a day before the period, one in it and one behind it
    await side.child("lena")
    side.activity("lena", "2026-11-20", conversations=9, messages=9, minutes=9.0)
    side.activity("lena", "2026-11-22", conversations=2, messages=20, minutes=4.04)
    side.activity("lena", "2026-11-24", conversations=9, messages=9, minutes=9.0)
    # when
    series = await side.ask(THREE_DAYS)
    # then
    quiet = {"conversations": 0, "messages": 0, "minutes": 0.0, "violations_by_severity": NONE}
    talked = {"conversations": 2, "messages": 20, "minutes": 4.0, "violations_by_severity": NONE}
    assert series["days"] == [
        {"day": "2026-11-21", **quiet},
        {"day": "2026-11-22", **talked},
        {"day": "2026-11-23", **quiet},
    ]
    assert (series["first_day"], series["last_day"]) == ("2026-11-21", "2026-11-23")


async def test_violations_count_by_severity_on_the_utc_day_of_their_report(side: QuerySide):
    # given the last moment of the period, and the first one behind it
    await side.child("lena")
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    side.report(
        "lena",
        violation("v0", severity="low", at=midnight),
        violation("v1", severity="high", at=midnight - timedelta(milliseconds=1)),
        violation("v2", severity="high", at=midnight - DAY, resolved_at=NOON, outcome="confirmed"),
        violation("v3", severity="critical", at=midnight - 3 * DAY),
        violation("v4", severity="low", at=midnight - 3 * DAY - timedelta(milliseconds=1)),
    )
    # when
    days = (await side.ask(THREE_DAYS))["days"]
    # then
    assert [day["violations_by_severity"] for day in days] == [
        NONE | {"critical": 1},
        NONE,
        NONE | {"high": 2},
    ]


async def test_a_conversation_that_goes_on_counts_until_now_and_is_soon_read_again(
    side: QuerySide,
):
    await side.child("lena")
    side.activity("lena", "2026-11-23", conversations=1, minutes=5.0)
    side.conversation("lena", "c1", started_at=NOON - HOUR)
    answer = await at_noon(side, GetChildSeries("lena"))
    assert answer.content.days[-1].minutes == 65.0
    assert answer.ttl == 60


async def test_without_days_the_last_thirty_are_shown(side: QuerySide):
    await side.child("lena")
    answer = await at_noon(side, GetChildSeries("lena"))
    assert [len(answer.content.days), answer.ttl] == [30, 900]
    assert answer.content.last_day == NOON.date()
    until = await at_noon(side, GetChildSeries("lena", None, date(2026, 3, 1)))
    assert (until.content.first_day, len(until.content.days)) == (date(2026, 1, 31), 30)


async def test_the_longest_period_is_a_leap_year(side: QuerySide):
    await side.child("lena")
    year = GetChildSeries("lena", date(2024, 1, 1), date(2024, 12, 31))
    assert len((await side.ask(year))["days"]) == MOST_DAYS


async def test_the_days_that_are_asked_for_are_an_answer_of_their_own(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    path = "/v1/children/lena/series"
    periods = [{"from": "2026-11-21"}, {"from": "2026-11-22"}, {"from": "2026-11-22"}]
    async with side.client(parent("weiss")) as client:
        # when
        found = [await client.get(path, params={**one, "to": "2026-11-23"}) for one in periods]
        side.change("lena")
        found.append(await client.get(path, params={**periods[0], "to": "2026-11-23"}))
    # then
    assert [one.headers["X-Cache"] for one in found] == ["miss", "miss", "hit", "miss"]
    assert [len(one.json()["days"]) for one in found] == [3, 2, 2, 3]


async def test_at_midnight_the_default_period_moves_on(side: QuerySide):
    children = VisibleChildren(side.store, side.keyring)
    now = NOON
    handler = GetChildSeriesHandler(side.store, children, lambda: now, 900)
    today = handler.cache_key(GetChildSeries("lena"))
    now += DAY
    assert handler.cache_key(GetChildSeries("lena")) != today


@pytest.mark.parametrize(
    ("asker", "status"),
    [
        (parent("weiss"), 200),
        (OFFICER, 200),
        (parent("braun"), 404),
        (device("bear-7"), 403),
        (ANALYST, 403),
    ],
)
async def test_a_parent_sees_the_days_of_their_own_child(
    side: QuerySide, asker: Principal, status: int
):
    await side.child("lena", parent_id="weiss")
    answer = await side.get("/v1/children/lena/series", asker)
    assert answer.status_code == status
