from query_service.queries.get_system_analytics import GetSystemAnalytics
from tests.support.query_side import ANALYST, QuerySide
from tests.support.read_model_builders import system_document

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


async def test_the_shards_are_summed_up(side: QuerySide) -> None:
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


async def test_a_registration_or_an_erasure_shows_with_its_notice(side: QuerySide) -> None:
    # given an answer that is kept
    side.store.system["0"] = system_document("0", children_active=3)
    assert (await side.ask(GetSystemAnalytics(), ANALYST))["children"]["active"] == 3
    await side.child("lena", parent_id="weiss")
    side.store.system["0"] = system_document("0", children_active=4)
    side.notify("lena")
    assert (await side.ask(GetSystemAnalytics(), ANALYST))["children"]["active"] == 4


async def test_an_empty_system_has_zeros(side: QuerySide) -> None:
    analytics = await side.ask(GetSystemAnalytics(), ANALYST)
    assert set(analytics["children"].values()) == {0}
    assert set(analytics["averages"].values()) == {0.0}
