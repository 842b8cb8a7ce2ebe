from datetime import timedelta

import pytest

from query_service.queries.get_child_analytics import GetChildAnalytics
from query_service.queries.query import ChildNotFound
from tests.support.query_side import QuerySide, parent
from tests.support.read_model_builders import activity_document


def keep(side: QuerySide, day: str, **fields: object) -> None:
    document = activity_document("lena", day, **fields)
    side.store.activity_days[document["_id"]] = document


async def test_the_days_of_the_period_are_summed_up(side: QuerySide) -> None:
    # given a period of three days, and a day before it
    await side.child("lena", engagement_level="engaged", learning_metrics={"counting": 4})
    keep(side, "2026-11-20", conversations=9, messages=9)
    keep(
        side,
        "2026-11-21",
        conversations=1,
        messages=10,
        minutes=4.5,
        topics={"stars": 2, "bears": 1},
        flagged=1,
        violations=1,
    )
    keep(side, "2026-11-23", conversations=2, messages=20, minutes=6.0, topics={"stars": 1})
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


async def test_a_quiet_day_is_a_zero_in_the_series(side: QuerySide) -> None:
    # given
    await side.child("lena")
    keep(side, "2026-11-21", conversations=1, messages=10)
    keep(side, "2026-11-23", conversations=2, messages=20)
    # when
    analytics = await side.ask(GetChildAnalytics("lena", period_days=3))
    # then
    assert [(day["day"], day["messages"]) for day in analytics["days"]] == [
        ("2026-11-21", 10),
        ("2026-11-22", 0),
        ("2026-11-23", 20),
    ]


async def test_a_day_on_which_only_a_violation_was_reported_is_not_active(side: QuerySide) -> None:
    await side.child("lena")
    keep(side, "2026-11-23", violations=1)
    analytics = await side.ask(GetChildAnalytics("lena"))
    assert analytics["totals"]["active_days"] == 0
    assert analytics["totals"]["violations"] == 1


async def test_a_child_that_never_talked_has_zeros_everywhere(side: QuerySide) -> None:
    await side.child("lena")
    analytics = await side.ask(GetChildAnalytics("lena"))
    assert len(analytics["days"]) == 30
    assert set(analytics["averages"].values()) == {0.0}
    assert analytics["topics"] == []


async def test_only_the_ten_most_frequent_topics_are_reported(side: QuerySide) -> None:
    await side.child("lena")
    keep(side, "2026-11-23", topics={f"topic-{number:02}": number for number in range(1, 13)})
    analytics = await side.ask(GetChildAnalytics("lena"))
    assert len(analytics["topics"]) == 10
    assert analytics["topics"][0] == {"topic": "topic-12", "count": 12}


async def test_at_midnight_the_period_moves_on_though_the_answer_is_cached(side: QuerySide) -> None:
    await side.child("lena")
    await side.ask(GetChildAnalytics("lena"))
    side.now += timedelta(hours=12)
    assert (await side.ask(GetChildAnalytics("lena")))["last_day"] == "2026-11-24"


async def test_another_parents_child_has_no_analytics(side: QuerySide) -> None:
    await side.child("lena", parent_id="weiss")
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildAnalytics("lena"), parent("braun"))
