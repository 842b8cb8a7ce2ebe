"""A child whose read models stand still is shown as such, wherever it is shown."""

from typing import Any

import pytest

from query_service.queries.export_child import ExportChild
from query_service.queries.get_child_analytics import GetChildAnalytics
from query_service.queries.get_child_conversations import GetChildConversations
from query_service.queries.get_child_profile import GetChildProfile
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.queries.get_children_by_parent import GetChildrenByParent
from query_service.queries.query import ChildDeadLettered, ChildNotFound, Query
from query_service.queries.search_children import SearchChildren
from shared.auth.access import Principal
from shared.read_models.notices import ChangeNotice
from tests.support.query_side import ADMIN, OFFICER, QuerySide, device, parent
from tests.support.read_model_builders import NOON

SINCE = "2026-11-23T12:00:00.000Z"
OF_ONE_CHILD: list[Query] = [
    GetChildProfile("lena"),
    GetChildSafetyReport("lena"),
    GetChildConversations("lena"),
    GetChildAnalytics("lena"),
    ExportChild("lena"),
]
OF_MANY: list[tuple[Query, str]] = [
    (GetChildrenByParent("parent-1"), "children"),
    (SearchChildren(parent_id="parent-1"), "items"),
]

ATTENTION = "needs_attention"


def mark(side: QuerySide, child_id: str, *, stale: bool) -> None:
    """As the worker does where it dead-letters a record, and an operator who redrives it."""
    side.store.stale.pop(child_id, None)
    if stale:
        side.store.stale[child_id] = NOON
    child = side.store.children[child_id]
    notice = ChangeNotice(child_id, child["parent_id"], child["version"], marked=True)
    for listener in side.service.listeners:
        listener.received(notice)


@pytest.mark.parametrize("query", OF_ONE_CHILD, ids=lambda query: type(query).__name__)
async def test_an_answer_about_a_child_says_at_once_that_it_is_stale_and_when_it_no_longer_is(
    side: QuerySide, query: Query
) -> None:
    # given an answer that is cached
    await side.child("lena", version=4)
    assert (await side.ask(query))["stale_since"] is None
    mark(side, "lena", stale=True)
    # then, though the version is the same
    assert (await side.ask(query))["stale_since"] == SINCE
    mark(side, "lena", stale=False)
    assert (await side.ask(query))["stale_since"] is None


@pytest.mark.parametrize(("query", "name"), OF_MANY, ids=["dashboard", "search"])
async def test_of_many_children_the_stale_one_is_reported(
    side: QuerySide, query: Query, name: str
) -> None:
    # given
    await side.child("lena")
    await side.child("tom")
    assert _stale(await side.ask(query), name) == {"lena": None, "tom": None}
    # when
    mark(side, "lena", stale=True)
    # then
    assert _stale(await side.ask(query), name) == {"lena": SINCE, "tom": None}
    mark(side, "lena", stale=False)
    assert _stale(await side.ask(query), name) == {"lena": None, "tom": None}


async def test_a_safety_report_of_a_stale_child_never_says_that_all_is_well(
    side: QuerySide,
) -> None:
    await side.child("lena")
    side.store.stale["lena"] = NOON
    report = await side.ask(GetChildSafetyReport("lena"))
    (advice,) = report["recommendations"]
    assert advice["code"] == "picture-is-incomplete"
    assert SINCE in advice["text"]


async def test_wherever_a_stale_child_is_shown_it_needs_attention(side: QuerySide) -> None:
    # given one whose documents know of nothing bad
    await side.child("lena")
    profile = GetChildProfile("lena")
    assert (await side.ask(profile))["safety_status"] == "excellent"
    # when
    mark(side, "lena", stale=True)
    # then
    for query in OF_ONE_CHILD:
        assert (await side.ask(query)).get("safety_status", ATTENTION) == ATTENTION
    for query, name in OF_MANY:
        assert [child["safety_status"] for child in (await side.ask(query))[name]] == [ATTENTION]


@pytest.mark.parametrize("asks", [ADMIN, OFFICER], ids=["admin", "officer"])
async def test_staff_is_told_of_a_child_whose_very_first_event_is_dead_lettered(
    side: QuerySide, asks: Principal
) -> None:
    # given a child without any document
    side.store.stale["lena"] = NOON
    # when / then
    with pytest.raises(ChildDeadLettered):
        await side.ask(GetChildSafetyReport("lena"), asks)
    async with side.client(asks) as client:
        answer = await client.get("/v1/children/lena/safety-report")
    assert (answer.status_code, answer.json()["code"]) == (503, "child-dead-lettered")
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.parametrize("asks", [parent("weiss"), device("bear-7")], ids=["parent", "bear"])
async def test_nobody_else_gets_whether_there_is_such_a_child(
    side: QuerySide, asks: Principal
) -> None:
    side.store.stale["lena"] = NOON
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildProfile("lena"), asks)


async def test_an_erased_child_is_not_found_whatever_is_marked(side: QuerySide) -> None:
    await side.child("lena", status="erased")
    side.store.stale["lena"] = NOON
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildProfile("lena"))


def _stale(answer: Any, name: str) -> dict[str, str | None]:
    return {child["child_id"]: child["stale_since"] for child in answer[name]}
