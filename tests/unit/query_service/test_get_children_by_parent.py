from datetime import timedelta

import pytest

from query_service.queries.get_children_by_parent import MOST_CHILDREN, GetChildrenByParent
from query_service.queries.query import ParentNotFound
from tests.support.query_side import OFFICER, QuerySide, parent
from tests.support.read_model_builders import NOON, alert_document, conversation_document

WEISS = parent("weiss")


async def test_a_family_is_summed_up(side: QuerySide) -> None:
    # given
    counts = {
        "conversation_count": 4,
        "total_messages": 20,
        "total_minutes": 10.5,
        "safety_violations_count": 2,
        "open_violations_count": 1,
        "flagged_content_count": 3,
    }
    await side.child("lena", parent_id="weiss", **counts)
    await side.child("tom", parent_id="weiss", **counts, status="deactivated")
    await side.child("mia", parent_id="braun", **counts)
    # when
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    # then
    assert family["totals"] == {
        "children": 2,
        "conversations": 8,
        "messages": 40,
        "minutes": 21.0,
        "violations": 4,
        "open_violations": 2,
        "unread_alerts": 0,
        "flagged_content": 6,
    }
    assert {child["child_id"] for child in family["children"]} == {"lena", "tom"}
    assert not family["truncated"]


async def test_each_child_comes_with_its_last_three_conversations(side: QuerySide) -> None:
    # given five conversations of Lena, none of Tom
    await side.child("lena", parent_id="weiss", safety_status="fair", last_interaction_at=NOON)
    await side.child("tom", parent_id="weiss", created_at=NOON - timedelta(days=1))
    for number in range(5):
        talk = conversation_document(
            "lena", f"c{number}", started_at=NOON + timedelta(hours=number), topic="stars"
        )
        side.store.conversations[talk["_id"]] = talk
    # when
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    # then
    lena, tom = family["children"]
    assert [talk["conversation_id"] for talk in lena["recent_conversations"]] == ["c4", "c3", "c2"]
    assert lena["recent_conversations"][0]["topic"] == "stars"
    assert lena["name"] == "Lena Weiss"
    assert lena["safety_status"] == "fair"
    assert lena["last_interaction_at"] == "2026-11-23T12:00:00.000Z"
    assert tom["recent_conversations"] == []


async def test_alerts_that_nobody_acknowledged_are_counted_for_each_child(side: QuerySide) -> None:
    # given two unread alerts about Lena, one read
    await side.child("lena", parent_id="weiss")
    await side.child("tom", parent_id="weiss")
    for number, read_at in enumerate((None, None, NOON)):
        alert = alert_document(f"a{number}", child_id="lena", acknowledged_at=read_at)
        side.store.alerts[alert["_id"]] = alert
    # when
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    # then
    unread = {child["child_id"]: child["unread_alerts"] for child in family["children"]}
    assert unread == {"lena": 2, "tom": 0}
    assert family["totals"]["unread_alerts"] == 2


async def test_a_parent_without_children_has_an_empty_family(side: QuerySide) -> None:
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    assert family["children"] == []
    assert family["totals"]["children"] == 0


async def test_an_erased_child_is_gone_from_the_family(side: QuerySide) -> None:
    # given one erased child, and one whose key is destroyed already
    await side.child("lena", parent_id="weiss", status="erased", name=None)
    await side.child("tom", parent_id="weiss")
    await side.destroy_key("tom")
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    assert family["children"] == []


async def test_another_parents_family_is_not_found(side: QuerySide) -> None:
    await side.child("lena", parent_id="weiss")
    with pytest.raises(ParentNotFound):
        await side.ask(GetChildrenByParent("weiss"), parent("braun"))


async def test_a_safety_officer_sees_every_family(side: QuerySide) -> None:
    await side.child("lena", parent_id="weiss")
    family = await side.ask(GetChildrenByParent("weiss"), OFFICER)
    assert family["totals"]["children"] == 1


async def test_a_change_of_any_child_renews_the_family(side: QuerySide) -> None:
    await side.child("lena", parent_id="weiss")
    await side.ask(GetChildrenByParent("weiss"), WEISS)
    side.change("lena", conversation_count=1)
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    assert family["totals"]["conversations"] == 1


async def test_a_family_beyond_measure_is_cut_and_says_so(side: QuerySide) -> None:
    for number in range(MOST_CHILDREN + 1):
        await side.child(f"child-{number}", parent_id="home")
    family = await side.ask(GetChildrenByParent("home"), OFFICER)
    assert len(family["children"]) == MOST_CHILDREN
    assert family["truncated"]
