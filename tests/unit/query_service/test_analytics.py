"""Analytics of a child, also with conversations that nobody ended, and of the system."""

from datetime import timedelta
from typing import Any

from query_service.queries.get_child_analytics import GetChildAnalytics, GetChildAnalyticsHandler
from query_service.queries.get_system_analytics import GetSystemAnalytics
from query_service.queries.visible_children import Scope, VisibleChildren
from tests.support.query_side import ADMIN, ANALYST, QuerySide
from tests.support.read_model_builders import NOON, system_document


async def test_the_days_of_the_period_are_summed_up(side: QuerySide):
    # given a period of three days, and a day before it
    await side.child("lena", engagement_level="engaged", learning_metrics={"counting": 4})
    side.activity("lena", "2026-11-20", conversations=9, messages=9)
    side.activity(
        "lena",
        "2026-11-21",
        conversations=1,
        messages=10,
        minutes=4.5,
        topics={"stars": 2, "bears": 1},
        flagged=1,
        violations=1,
    )
    side.activity(
        "lena", "2026-11-23", conversations=2, messages=20, minutes=6.0, topics={"stars": 1}
    )
    # when
    analytics = await side.ask(GetChildAnalytics("lena", period_days=3))
    # then
    assert analytics["totals"] == {
        "active_days": 2,
        "conversations": 3,
        "messages": 30,
        "minutes": 10.5,
        "flagged": 1,
        "violations": 1,
    }
    assert analytics["averages"] == {
        "messages_per_conversation": 10.0,
        "minutes_per_conversation": 3.5,
        "conversations_per_day": 1.0,
        "minutes_per_active_day": 5.25,
    }
    assert analytics["topics"] == [{"topic": "stars", "count": 3}, {"topic": "bears", "count": 1}]
    assert analytics["engagement_level"] == "engaged"
    assert analytics["learning_metrics"] == {"counting": 4}
    assert (analytics["first_day"], analytics["last_day"]) == ("2026-11-21", "2026-11-23")


async def test_a_quiet_day_is_a_zero_in_the_series(side: QuerySide):
    # given
    await side.child("lena")
    side.activity("lena", "2026-11-21", conversations=1, messages=10)
    side.activity("lena", "2026-11-23", conversations=2, messages=20)
    # when
    analytics = await side.ask(GetChildAnalytics("lena", period_days=3))
    # then
    assert [(day["day"], day["messages"]) for day in analytics["days"]] == [
        ("2026-11-21", 10),
        ("2026-11-22", 0),
        ("2026-11-23", 20),
    ]


async def test_a_day_on_which_only_a_violation_was_reported_is_not_active(side: QuerySide):
    await side.child("lena")
    side.activity("lena", "2026-11-23", violations=1)
    analytics = await side.ask(GetChildAnalytics("lena"))
    assert analytics["totals"]["active_days"] == 0
    assert analytics["totals"]["violations"] == 1


async def test_a_child_that_never_talked_has_zeros_everywhere(side: QuerySide):
    await side.child("lena")
    analytics = await side.ask(GetChildAnalytics("lena"))
    assert len(analytics["days"]) == 30
    assert set(analytics["averages"].values()) == {0.0}
    assert analytics["topics"] == []


async def test_only_the_ten_most_frequent_topics_are_reported(side: QuerySide):
    await side.child("lena")
    side.activity(
        "lena", "2026-11-23", topics={f"topic-{number:02}": number for number in range(1, 13)}
    )
    analytics = await side.ask(GetChildAnalytics("lena"))
    assert len(analytics["topics"]) == 10
    assert analytics["topics"][0] == {"topic": "topic-12", "count": 12}


async def test_at_midnight_the_period_moves_on_though_the_answer_is_cached(side: QuerySide):
    await side.child("lena")
    await side.ask(GetChildAnalytics("lena"))
    side.now += timedelta(hours=12)
    assert (await side.ask(GetChildAnalytics("lena")))["last_day"] == "2026-11-24"


HOUR = timedelta(hours=1)


async def minutes_of(side: QuerySide, days: int = 3) -> tuple[dict[str, float], dict[str, Any]]:
    """By day, of those that have any; and the totals."""
    analytics = await side.ask(GetChildAnalytics("lena", period_days=days))
    by_day = {day["day"]: day["minutes"] for day in analytics["days"] if day["minutes"]}
    return by_day, analytics["totals"]


async def test_one_that_goes_on_counts_until_now_beside_those_that_ended(side: QuerySide):
    await side.child("lena")
    side.activity("lena", "2026-11-23", conversations=2, minutes=10.25)
    side.conversation("lena", "c1", started_at=NOON - HOUR / 2)
    by_day, totals = await minutes_of(side)
    assert by_day == {"2026-11-23": 40.2}
    assert totals["minutes"] == 40.2


async def test_one_that_was_left_open_counts_for_as_long_as_one_may_last(side: QuerySide):
    # given one of the day before, another that ended and is counted where it did, and a limit
    await side.child("lena")
    side.store.limit = timedelta(minutes=90)
    side.conversation("lena", "c1", started_at=NOON - 24 * HOUR)
    side.conversation("lena", "c2", started_at=NOON - 2 * HOUR, ended_at=NOON - HOUR)
    assert (await minutes_of(side))[0] == {"2026-11-22": 90.0}


async def test_it_is_spread_over_the_days_that_it_covers_of_which_those_of_the_period_count(
    side: QuerySide,
):
    # given one that began at half past eleven at night
    await side.child("lena")
    side.conversation("lena", "c1", started_at=NOON - 12.5 * HOUR)
    by_day, totals = await minutes_of(side)
    # then both days count as active
    assert by_day == {"2026-11-22": 30.0, "2026-11-23": 210.0}
    assert totals["active_days"] == 2
    by_day, totals = await minutes_of(side, days=1)
    assert by_day == {"2026-11-23": 210.0}
    assert totals["minutes"] == 210.0


async def test_one_that_begins_later_than_this_clock_says_counts_nothing(side: QuerySide):
    await side.child("lena")
    side.conversation("lena", "c1", started_at=NOON + HOUR)
    assert (await minutes_of(side))[0] == {}


async def test_an_answer_that_counts_one_until_now_is_soon_read_again(side: QuerySide):
    # given a child that talks, and one that did
    await side.child("lena")
    await side.child("leo")
    side.conversation("lena", "c1", started_at=NOON - HOUR)
    children = VisibleChildren(side.store, side.keyring)
    handler = GetChildAnalyticsHandler(side.store, children, lambda: NOON, 7_200)
    scope = Scope.of(ADMIN, "GetChildAnalytics")
    # when
    talks, talked = [
        await handler.handle(GetChildAnalytics(child_id), scope) for child_id in ("lena", "leo")
    ]
    # then
    assert (talks.ttl, talked.ttl) == (60, 7_200)


async def test_short_ones_add_up(side: QuerySide):
    # given a thousand of 2.9 s
    await side.child("lena")
    for number in range(1_000):
        side.conversation("lena", f"c{number}", started_at=NOON - timedelta(seconds=2.9))
    assert (await minutes_of(side))[1]["minutes"] == 48.3


SHARD_0 = system_document(
    "0",
    children_active=3,
    children_erased=1,
    conversations=8,
    messages=40,
    violations=1,
    open_violations=1,
    safety_excellent=2,
    safety_fair=1,
    engagement_new=3,
)
SHARD_1 = system_document(
    "1", children_active=0, children_deactivated=1, conversations=2, messages=10, flagged=2
)


async def test_the_shards_are_summed_up(side: QuerySide):
    # given
    side.store.system["0"] = SHARD_0
    side.store.system["1"] = SHARD_1
    # when
    analytics = await side.ask(GetSystemAnalytics(), ANALYST)
    # then
    assert analytics["children"] == {"active": 3, "deactivated": 1, "erased": 1}
    assert analytics["totals"] == {
        "conversations": 10,
        "messages": 50,
        "violations": 1,
        "open_violations": 1,
        "flagged": 2,
    }
    assert analytics["averages"] == {
        "conversations_per_child": 2.5,
        "messages_per_conversation": 5.0,
        "violations_per_child": 0.25,
    }
    assert analytics["safety_distribution"] == {
        "excellent": 2,
        "good": 0,
        "fair": 1,
        "needs_attention": 0,
    }
    assert analytics["engagement_distribution"] == {
        "new": 3,
        "learning": 0,
        "engaged": 0,
        "active": 0,
    }


async def test_a_registration_or_an_erasure_shows_with_its_notice(side: QuerySide):
    # given an answer that is kept
    side.store.system["0"] = system_document("0", children_active=3)
    assert (await side.ask(GetSystemAnalytics(), ANALYST))["children"]["active"] == 3
    await side.child("lena", parent_id="weiss")
    side.store.system["0"] = system_document("0", children_active=4)
    side.notify("lena")
    assert (await side.ask(GetSystemAnalytics(), ANALYST))["children"]["active"] == 4


async def test_an_empty_system_has_zeros(side: QuerySide):
    analytics = await side.ask(GetSystemAnalytics(), ANALYST)
    assert set(analytics["children"].values()) == {0}
    assert set(analytics["averages"].values()) == {0.0}
