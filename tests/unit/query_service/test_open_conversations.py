"""Conversations that nobody ended, in a child's analytics."""

from datetime import datetime, timedelta
from typing import Any

from query_service.queries.get_child_analytics import GetChildAnalytics, GetChildAnalyticsHandler
from query_service.queries.query import Scope
from query_service.queries.visible_children import VisibleChildren
from tests.support.query_side import ADMIN, QuerySide
from tests.support.read_model_builders import NOON, activity_document, conversation_document

HOUR = timedelta(hours=1)


def begin(side: QuerySide, conversation_id: str, at: datetime, **fields: Any) -> None:
    document = conversation_document("lena", conversation_id, started_at=at, **fields)
    side.store.conversations[document["_id"]] = document


async def minutes_of(side: QuerySide, days: int = 3) -> tuple[dict[str, float], dict[str, Any]]:
    """By day, of those that have any; and the totals."""
    analytics = await side.ask(GetChildAnalytics("lena", period_days=days))
    by_day = {day["day"]: day["minutes"] for day in analytics["days"] if day["minutes"]}
    return by_day, analytics["totals"]


async def test_one_that_goes_on_counts_until_now_beside_those_that_ended(side: QuerySide) -> None:
    # given
    await side.child("lena")
    day = activity_document("lena", "2026-11-23", conversations=2, minutes=10.25)
    side.store.activity_days[day["_id"]] = day
    begin(side, "c1", NOON - HOUR / 2)
    # when
    by_day, totals = await minutes_of(side)
    # then
    assert by_day == {"2026-11-23": 40.2}
    assert totals["minutes"] == 40.2


async def test_one_that_was_left_open_counts_for_as_long_as_one_may_last(side: QuerySide) -> None:
    # given one of the day before, another that ended and is counted where it did, and a limit
    await side.child("lena")
    side.store.limit = timedelta(minutes=90)
    begin(side, "c1", NOON - 24 * HOUR)
    begin(side, "c2", NOON - 2 * HOUR, ended_at=NOON - HOUR)
    assert (await minutes_of(side))[0] == {"2026-11-22": 90.0}


async def test_it_is_spread_over_the_days_that_it_covers(side: QuerySide) -> None:
    # given one that began at half past eleven at night
    await side.child("lena")
    begin(side, "c1", NOON - 12.5 * HOUR)
    by_day, totals = await minutes_of(side)
    # then both days count as active
    assert by_day == {"2026-11-22": 30.0, "2026-11-23": 210.0}
    assert totals["active_days"] == 2


async def test_what_of_it_lies_before_the_period_does_not_count(side: QuerySide) -> None:
    await side.child("lena")
    begin(side, "c1", NOON - 12.5 * HOUR)
    by_day, totals = await minutes_of(side, days=1)
    assert by_day == {"2026-11-23": 210.0}
    assert totals["minutes"] == 210.0


async def test_one_that_begins_later_than_this_clock_says_counts_nothing(side: QuerySide) -> None:
    await side.child("lena")
    begin(side, "c1", NOON + HOUR)
    assert (await minutes_of(side))[0] == {}


async def test_an_answer_that_counts_one_until_now_is_soon_read_again(side: QuerySide) -> None:
    # given a child that talks, and one that did
    await side.child("lena")
    await side.child("leo")
    begin(side, "c1", NOON - HOUR)
    children = VisibleChildren(side.store, side.keyring)
    handler = GetChildAnalyticsHandler(side.store, children, lambda: NOON, 7_200)
    scope = Scope.of(ADMIN, "GetChildAnalytics")
    # when
    talks, talked = [
        await handler.handle(GetChildAnalytics(child_id), scope) for child_id in ("lena", "leo")
    ]
    # then
    assert (talks.ttl, talked.ttl) == (60, 7_200)


async def test_short_ones_add_up(side: QuerySide) -> None:
    # given a thousand of 2.9 s
    await side.child("lena")
    for number in range(1_000):
        begin(side, f"c{number}", NOON - timedelta(seconds=2.9))
    assert (await minutes_of(side))[1]["minutes"] == 48.3
