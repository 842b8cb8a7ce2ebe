"""Lists of children, found or of a parent, and the cursors that go on with them."""

import unicodedata
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from query_service.queries.cursors import Cursors
from query_service.queries.get_alerts import GetAlerts
from query_service.queries.get_child_conversations import GetChildConversations
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.queries.get_children_by_parent import GetChildrenByParent
from query_service.queries.query import RequestRefused
from query_service.queries.search_children import SearchChildren
from query_service.read_store.port import PageEnd, Period
from shared.auth.access import Principal
from shared.read_models.documents import ChildStatus, EngagementLevel, SafetyStatus
from tests.support.query_side import ADMIN, OFFICER, QuerySide, parent
from tests.support.read_model_builders import NOON, conversation_document, violation

OfAList = (
    GetAlerts | GetChildConversations | GetChildSafetyReport | GetChildrenByParent | SearchChildren
)
DAY = timedelta(days=1)


@pytest.fixture
async def families(side: QuerySide) -> QuerySide:
    """Two, each with two children that have two of everything."""
    for child_id, parent_id in (
        ("lena", "weiss"),
        ("leo", "weiss"),
        ("mia", "braun"),
        ("tom", "braun"),
    ):
        await side.child(child_id, parent_id=parent_id)
        side.report(child_id, *(violation(f"v{number}") for number in range(2)))
        for number in range(2):
            side.conversation(child_id, f"c{number}")
            side.alert(f"{child_id}-{number}", child_id=child_id, parent_id=parent_id)
    return side


@pytest.mark.parametrize(
    ("of", "of_another"),
    [
        (GetChildConversations("lena", 1), {"child_id": "leo"}),
        (GetChildSafetyReport("lena", None, None, 1), {"child_id": "leo"}),
        (GetChildSafetyReport("lena", None, None, 1), {"since": NOON - DAY}),
        (GetChildSafetyReport("lena", NOON - DAY, None, 1), {"since": NOON - 2 * DAY}),
        (GetChildSafetyReport("lena", None, NOON + DAY, 1), {"until": NOON + 2 * DAY}),
        (GetAlerts("weiss", 1), {"parent_id": "braun"}),
        (GetChildrenByParent("weiss", 1), {"parent_id": "braun"}),
        (SearchChildren(limit=1), {"parent_id": "weiss"}),
        (SearchChildren(name="le", limit=1), {"name": "lena"}),
        (SearchChildren(age_min=2, limit=1), {"age_min": 3}),
        (SearchChildren(age_min=2, limit=1), {"age_min": None, "age_max": 12}),
    ],
)
async def test_a_cursor_of_what_another_was_asked_is_refused(
    families: QuerySide, of: OfAList, of_another: dict[str, Any]
):
    cursor = (await families.ask(of))["next_cursor"]
    assert cursor is not None
    with pytest.raises(RequestRefused, match="not a cursor of this list") as refused:
        await families.ask(replace(of, cursor=cursor, **of_another))
    assert refused.value.field == "cursor"
    assert await families.ask(replace(of, cursor=cursor, limit=50))


async def test_what_one_family_found_is_no_list_of_another(families: QuerySide):
    query = SearchChildren(limit=1)
    cursor = (await families.ask(query, parent("weiss")))["next_cursor"]
    for other in (parent("braun"), ADMIN):
        with pytest.raises(RequestRefused, match="not a cursor of this list"):
            await families.ask(replace(query, cursor=cursor), other)


def test_one_period_is_one_in_whatever_zone_it_was_told():
    cursors = Cursors(bytes(32), "violations")
    place = PageEnd(NOON, "lena/v 1")
    cursor = cursors.write(place, Period(NOON))
    given_in_delhi = NOON.astimezone(timezone(timedelta(hours=5.5)))
    assert cursors.read(cursor, Period(given_in_delhi)) == place


WEISS = parent("weiss")


async def test_a_family_is_summed_up(side: QuerySide):
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
    assert family["next_cursor"] is None


async def test_each_child_comes_with_its_last_three_conversations(side: QuerySide):
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


async def test_alerts_that_nobody_acknowledged_are_counted_for_each_child(side: QuerySide):
    # given two unread alerts about Lena, one read
    await side.child("lena", parent_id="weiss")
    await side.child("tom", parent_id="weiss")
    for number, read_at in enumerate((None, None, NOON)):
        side.alert(f"a{number}", child_id="lena", acknowledged_at=read_at)
    # when
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    # then
    unread = {child["child_id"]: child["unread_alerts"] for child in family["children"]}
    assert unread == {"lena": 2, "tom": 0}
    assert family["totals"]["unread_alerts"] == 2


async def test_a_parent_without_children_has_an_empty_family(side: QuerySide):
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    assert family["children"] == []
    assert family["totals"]["children"] == 0


async def test_an_erased_child_is_gone_from_the_family(side: QuerySide):
    # given one erased child, and one whose key is destroyed already
    await side.child("lena", parent_id="weiss", status="erased", name=None)
    await side.child("tom", parent_id="weiss")
    await side.destroy_key("tom")
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    assert family["children"] == []


async def test_a_change_of_any_child_renews_the_family(side: QuerySide):
    await side.child("lena", parent_id="weiss")
    await side.ask(GetChildrenByParent("weiss"), WEISS)
    side.change("lena", conversation_count=1)
    family = await side.ask(GetChildrenByParent("weiss"), WEISS)
    assert family["totals"]["conversations"] == 1


@pytest.fixture
async def home(side: QuerySide) -> QuerySide:
    """An institution of seven, some registered at the same moment, with an unread alert each."""
    for number in range(7):
        child_id = f"child-{number}"
        at = NOON + timedelta(hours=number // 2)
        await side.child(child_id, parent_id="house", created_at=at, conversation_count=number)
        side.alert(f"a{number}", child_id=child_id, parent_id="house")
    return side


async def test_a_large_family_comes_in_pages_without_gap_or_repetition(home: QuerySide):
    # when
    pages, cursor = [], None
    while True:
        page = await home.ask(GetChildrenByParent("house", 3, cursor), OFFICER)
        pages.append([child["child_id"] for child in page["children"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    # then
    assert pages == [
        ["child-6", "child-4", "child-5"],
        ["child-2", "child-3", "child-0"],
        ["child-1"],
    ]


async def test_the_totals_of_a_large_family_are_of_all_and_come_once(home: QuerySide):
    first = await home.ask(GetChildrenByParent("house", 3), OFFICER)
    whole = await home.ask(GetChildrenByParent("house", 7), OFFICER)
    later = await home.ask(GetChildrenByParent("house", 3, first["next_cursor"]), OFFICER)
    assert first["totals"] == whole["totals"]
    assert first["totals"]["children"] == 7
    assert first["totals"]["conversations"] == 21
    assert first["totals"]["unread_alerts"] == 7
    assert whole["next_cursor"] is None
    assert later["totals"] is None
    assert all(child["unread_alerts"] == 1 for child in later["children"])


async def test_each_page_of_a_family_is_an_answer_of_its_own(home: QuerySide):
    # given
    path = "/v1/parents/house/children"
    first = await home.get(path, OFFICER, params={"limit": 3})
    # when
    later = {"limit": 3, "cursor": first.json()["next_cursor"]}
    answers = [
        await home.get(path, OFFICER, params=params)
        for params in ({"limit": 2}, {"limit": 3}, later, later)
    ]
    # then
    assert [answer.headers["X-Cache"] for answer in answers] == ["miss", "hit", "miss", "hit"]
    assert len({answer.headers["ETag"] for answer in answers}) == 3


async def test_a_child_on_any_page_renews_the_first_one(home: QuerySide):
    await home.ask(GetChildrenByParent("house", 3), OFFICER)
    home.change("child-1", conversation_count=100)
    first = await home.ask(GetChildrenByParent("house", 3), OFFICER)
    assert first["totals"]["conversations"] == 120


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_of_a_family_has_a_limit(side: QuerySide, limit: int):
    answer = await side.get("/v1/parents/house/children", OFFICER, params={"limit": limit})
    assert answer.status_code == 422


async def found(side: QuerySide, principal: Principal = ADMIN, **conditions: Any) -> list[str]:
    answer = await side.ask(SearchChildren(**conditions), principal)
    return [item["child_id"] for item in answer["items"]]


async def test_children_with_open_violations_are_found(side: QuerySide):
    await side.child("lena", open_violations_count=2, age=4)
    await side.child("leo", open_violations_count=0, age=4)
    await side.child("mia", open_violations_count=1, age=9)
    assert await found(side, violations="open") == ["lena", "mia"]
    assert await found(side, violations="open", age_max=5) == ["lena"]
    refused = await side.get("/v1/children", OFFICER, params={"violations": "resolved"})
    assert refused.status_code == 422


async def test_a_child_is_found_by_the_beginnings_of_its_names_without_accents(side: QuerySide):
    await side.child("lena", name="Lena-Marie Weiß")
    await side.child("leo", name="Leo Braun")
    assert await found(side, name="le") == ["lena", "leo"]
    assert await found(side, name="LEN") == ["lena"]
    assert await found(side, name="weiss ma") == ["lena"]
    assert await found(side, name="lena braun") == []
    await side.child("rene", name="René")
    assert await found(side, name="rene") == ["rene"]


@pytest.mark.parametrize("name", ["l", " L ", "!", "", "\u00ad\u00ad"])
async def test_less_than_any_name_has_is_refused(side: QuerySide, name: str):
    with pytest.raises(RequestRefused) as refused:
        await found(side, name=name)
    assert refused.value.field == "name"
    assert refused.value.limit == "2 or more characters"


async def test_names_are_found_as_they_were_registered(side: QuerySide):
    # given
    names = ["O'Neil", "Sam Neil", "Anna L", "J. K.", "小", "L.", "Anna-Lena"]
    for name in names:
        await side.child(name, name=name)
    # when / then
    assert {name: await found(side, name=name) for name in names} == {
        "O'Neil": ["O'Neil"],
        "Sam Neil": ["Sam Neil"],
        "Anna L": ["Anna L", "Anna-Lena"],  # the letter by itself is left out
        "J. K.": ["J. K."],
        "小": ["小"],
        "L.": ["L."],
        "Anna-Lena": ["Anna-Lena"],
    }


async def test_a_name_that_is_longer_before_it_is_composed_may_be_asked_for(side: QuerySide):
    registered = "Ze\u0301" * 33
    await side.child("lena", name=unicodedata.normalize("NFKC", registered))
    answer = await side.get("/v1/children", ADMIN, params={"name": f" {registered} "})
    assert [child["child_id"] for child in answer.json()["items"]] == ["lena"]


async def test_every_condition_must_hold(side: QuerySide):
    # given
    await side.child("lena", age=5, safety_status="good", engagement_level="active")
    await side.child("leo", age=6, safety_status="fair", status="deactivated", parent_id="braun")
    # when / then
    assert await found(side, age_min=6) == ["leo"]
    assert await found(side, age_max=5) == ["lena"]
    assert await found(side, age_min=5, age_max=6) == ["lena", "leo"]
    assert await found(side, safety_status=SafetyStatus.FAIR) == ["leo"]
    assert await found(side, engagement_level=EngagementLevel.ACTIVE) == ["lena"]
    assert await found(side, status=ChildStatus.DEACTIVATED) == ["leo"]
    assert await found(side, parent_id="braun") == ["leo"]
    assert await found(side, parent_id="braun", age_max=5) == []


async def test_a_parent_finds_only_own_children_whatever_they_ask_for(side: QuerySide):
    await side.child("lena", parent_id="weiss")
    await side.child("leo", parent_id="braun")
    assert await found(side, parent("weiss")) == ["lena"]
    assert await found(side, parent("weiss"), parent_id="weiss") == ["lena"]
    assert await found(side, parent("weiss"), parent_id="braun") == []


async def test_pages_follow_each_other_without_gap_or_repetition(side: QuerySide):
    # given seven children, some created at the same moment
    for number in range(7):
        await side.child(f"child-{number}", created_at=NOON + timedelta(hours=number // 2))
    # when
    seen, cursor = [], None
    while True:
        page = await side.ask(SearchChildren(limit=3, cursor=cursor))
        seen += [item["child_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    # then the newest come first, and those of one moment by their id
    assert seen == [f"child-{number}" for number in (6, 4, 5, 2, 3, 0, 1)]


async def test_a_full_last_page_has_no_next(side: QuerySide):
    await side.child("lena")
    await side.child("leo")
    page = await side.ask(SearchChildren(limit=2))
    assert page["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["", "x", "bm90LXNpZ25lZA", "ü"])
async def test_a_cursor_that_was_not_given_out_is_refused(side: QuerySide, cursor: str):
    with pytest.raises(RequestRefused) as refused:
        await found(side, cursor=cursor)
    assert refused.value.field == "cursor"


async def test_erased_children_are_not_found(side: QuerySide):
    await side.child("lena", status="erased")
    await side.child("leo")
    await side.destroy_key("leo")
    assert await found(side) == []


async def test_a_page_is_renewed_when_a_child_on_it_changes(side: QuerySide):
    await side.child("lena")
    await found(side, name="lena")
    side.change("lena", status="erased")
    assert await found(side, name="lena") == []


async def test_a_parents_page_is_renewed_when_they_register_another_child(side: QuerySide):
    await side.child("lena", parent_id="weiss")
    await found(side, parent("weiss"))
    await side.child("tom", parent_id="weiss")
    side.notify("tom")
    assert await found(side, parent("weiss")) == ["lena", "tom"]
