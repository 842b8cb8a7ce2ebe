import unicodedata
from datetime import timedelta
from typing import Any

import pytest

from query_service.queries.query import RequestRefused
from query_service.queries.search_children import SearchChildren
from shared.auth.access import Principal
from shared.read_models.documents import ChildStatus, EngagementLevel, SafetyStatus
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.read_model_builders import NOON


async def found(side: QuerySide, principal: Principal = ADMIN, **conditions: Any) -> list[str]:
    answer = await side.ask(SearchChildren(**conditions), principal)
    return [item["child_id"] for item in answer["items"]]


async def test_a_child_is_found_by_the_beginnings_of_its_names(side: QuerySide) -> None:
    await side.child("lena", name="Lena-Marie Weiß")
    await side.child("leo", name="Leo Braun")
    assert await found(side, name="le") == ["lena", "leo"]
    assert await found(side, name="LEN") == ["lena"]
    assert await found(side, name="weiss ma") == ["lena"]
    assert await found(side, name="lena braun") == []


async def test_accents_do_not_matter(side: QuerySide) -> None:
    await side.child("rene", name="René")
    assert await found(side, name="rene") == ["rene"]


@pytest.mark.parametrize("name", ["l", " L ", "!", "", "\u00ad\u00ad"])
async def test_less_than_any_name_has_is_refused(side: QuerySide, name: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await found(side, name=name)
    assert refused.value.field == "name"
    assert refused.value.limit == "2 or more characters"


async def test_names_are_found_as_they_were_registered(side: QuerySide) -> None:
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


async def test_a_name_that_is_longer_before_it_is_composed_may_be_asked_for(
    side: QuerySide,
) -> None:
    registered = "Ze\u0301" * 33
    await side.child("lena", name=unicodedata.normalize("NFKC", registered))
    async with side.client(ADMIN) as client:
        answer = await client.get("/v1/children", params={"name": f" {registered} "})
    assert [child["child_id"] for child in answer.json()["items"]] == ["lena"]


async def test_every_condition_must_hold(side: QuerySide) -> None:
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


async def test_an_age_range_that_is_empty_is_refused(side: QuerySide) -> None:
    with pytest.raises(RequestRefused) as refused:
        await found(side, age_min=8, age_max=7)
    assert refused.value.field == "age_max"


async def test_a_parent_finds_only_own_children_whatever_they_ask_for(side: QuerySide) -> None:
    await side.child("lena", parent_id="weiss")
    await side.child("leo", parent_id="braun")
    assert await found(side, parent("weiss")) == ["lena"]
    assert await found(side, parent("weiss"), parent_id="weiss") == ["lena"]
    assert await found(side, parent("weiss"), parent_id="braun") == []


async def test_pages_follow_each_other_without_gap_or_repetition(side: QuerySide) -> None:
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


async def test_a_full_last_page_has_no_next(side: QuerySide) -> None:
    await side.child("lena")
    await side.child("leo")
    page = await side.ask(SearchChildren(limit=2))
    assert page["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["", "x", "bm90LXNpZ25lZA", "ü"])
async def test_a_cursor_that_was_not_given_out_is_refused(side: QuerySide, cursor: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await found(side, cursor=cursor)
    assert refused.value.field == "cursor"


async def test_erased_children_are_not_found(side: QuerySide) -> None:
    await side.child("lena", status="erased")
    await side.child("leo")
    await side.destroy_key("leo")
    assert await found(side) == []


async def test_a_page_is_renewed_when_a_child_on_it_changes(side: QuerySide) -> None:
    await side.child("lena")
    await found(side, name="lena")
    side.change("lena", status="erased")
    assert await found(side, name="lena") == []


async def test_a_parents_page_is_renewed_when_they_register_another_child(side: QuerySide) -> None:
    await side.child("lena", parent_id="weiss")
    await found(side, parent("weiss"))
    await side.child("tom", parent_id="weiss")
    side.notify("tom")
    assert await found(side, parent("weiss")) == ["lena", "tom"]
