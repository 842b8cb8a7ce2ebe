"""A child whose records do not open or stand still is shown as such, and spoils no other answer."""

from math import inf
from typing import Any

import pytest

from query_service.bus import UNREADABLE_SECONDS, life_of
from query_service.queries.export_child import ExportChild
from query_service.queries.get_alert_policy import GetAlertPolicy
from query_service.queries.get_child_analytics import GetChildAnalytics
from query_service.queries.get_child_conversations import GetChildConversations
from query_service.queries.get_child_profile import GetChildProfile, GetChildProfileHandler
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.queries.get_child_series import GetChildSeries
from query_service.queries.get_children_by_parent import GetChildrenByParent
from query_service.queries.query import Query
from query_service.queries.search_children import SearchChildren
from query_service.queries.visible_children import (
    ChildDeadLettered,
    ChildNotFound,
    Scope,
    VisibleChildren,
)
from shared.auth.access import Principal
from shared.event_store.envelope import Actor, Causality, NewCommit, StreamPosition
from shared.read_models.notices import ChangeNotice
from shared.serialization.events import encode
from tests.support.event_samples import AT, CHILD, EVENTS
from tests.support.exports import document_of
from tests.support.query_side import ADMIN, OFFICER, QuerySide, device, parent
from tests.support.read_model_builders import NOON, sealed, violation

FAMILY = parent("weiss")
OTHER_FILES = pytest.mark.parametrize(
    "kek_id", [None, "kek-of-another-file"], ids=["same id", "unknown id"]
)


def names(answer: Any, listed: str) -> dict[str, Any]:
    return {one["child_id"]: one["name"] for one in answer[listed]}


@pytest.mark.parametrize(
    ("query", "listed", "asker"),
    [
        (SearchChildren(), "items", OFFICER),
        (GetChildrenByParent(FAMILY.subject), "children", FAMILY),
    ],
    ids=["search", "dashboard"],
)
@OTHER_FILES
async def test_a_list_has_the_other_children_whole_and_names_the_one(
    side: QuerySide, query: Any, listed: str, asker: Principal, kek_id: str | None
):
    await side.child("lena", name="Lena", parent_id=FAMILY.subject)
    await side.child("mia", name="Mia", parent_id=FAMILY.subject)
    await side.close_key("lena", kek_id)
    answer = await side.ask(query, asker)
    assert names(answer, listed) == {"lena": None, "mia": "Mia"}
    assert answer["unreadable"] == ["lena"]


async def test_a_list_in_which_all_opens_names_nobody(side: QuerySide):
    await side.child("mia", name="Mia")

    assert (await side.ask(SearchChildren(), OFFICER))["unreadable"] == []


async def test_a_name_that_was_altered_is_left_out_of_a_list_alone(side: QuerySide):
    # given a child whose name is the ciphertext of another's
    mia = await side.child("mia", name="Mia")
    (await side.child("lena", name="Lena"))["name"] = mia["name"]
    answer = await side.ask(SearchChildren(), OFFICER)
    assert names(answer, "items") == {"lena": None, "mia": "Mia"}
    assert answer["unreadable"] == ["lena"]


@OTHER_FILES
async def test_a_safety_report_is_whole_but_for_what_does_not_open(
    side: QuerySide, kek_id: str | None
):
    # given a child with a critical incident, whose key does not open any more
    await side.child("lena", safety_score=60.0)
    details = sealed(await side.keyring.create("lena"), "lena", "details", "said his address")
    side.report("lena", violation("v1", severity="critical", details=details), violation("v2"))
    await side.close_key("lena", kek_id)

    # when
    report = await side.ask(GetChildSafetyReport("lena"), OFFICER)

    # then
    assert {one["violation_id"]: one["details"] for one in report["violations"]} == {
        "v1": None,
        "v2": None,
    }
    assert (report["high_severity_violations"], report["unreadable"]) == (1, ["v1"])


async def test_an_export_tells_all_that_opens_and_where_the_rest_stands(side: QuerySide):
    # given facts of which the first was moved here from another child
    await side.child(CHILD, parent_id=FAMILY.subject, name="Zoë")
    first, second = EVENTS[:2]
    ciphers = [await side.keyring.create("another"), await side.keyring.create(CHILD)]
    position = StreamPosition()
    for event, cipher in zip((first, second), ciphers, strict=True):
        commit = await side.events.append(
            NewCommit(
                child_id=CHILD,
                expected=position,
                events=(encode(event, position.version + 1, cipher),),
                recorded_at=AT,
                actor=Actor("weiss", "parent"),
                causality=Causality("correlation-1"),
            )
        )
        position = commit.position

    # when
    export = await document_of(await side.get(f"/v1/children/{CHILD}/export", FAMILY))

    # then
    assert export["unreadable"] == ["events.1"]
    assert export["profile"]["name"] == "Zoë"
    assert [event["type"] for event in export["events"]] == [
        type(first).__name__,
        type(second).__name__,
    ]
    assert export["events"][0]["data"]["name"] is None


@OTHER_FILES
async def test_an_export_of_a_child_whose_key_does_not_open_names_every_place(
    side: QuerySide, kek_id: str | None
):
    await side.child("lena", parent_id=FAMILY.subject)
    await side.close_key("lena", kek_id)

    export = await document_of(await side.get("/v1/children/lena/export", FAMILY))

    assert export["unreadable"] == ["profile.name", "profile.udid"]
    assert export["profile"]["age"] > 0


@OTHER_FILES
async def test_a_profile_is_whole_but_for_what_does_not_open(side: QuerySide, kek_id: str | None):
    await side.child("lena", parent_id="weiss", age=7, safety_score=60.0)
    await side.close_key("lena", kek_id)

    profile = await side.ask(GetChildProfile("lena"), OFFICER)

    assert (profile["name"], profile["udid"], profile["age"]) == (None, None, 7)
    assert (profile["parent_id"], profile["safety_score"]) == ("weiss", 60.0)
    assert profile["unreadable"] == ["name", "udid"]


async def test_an_answer_that_lacks_something_is_kept_for_seconds(side: QuerySide):
    await side.child("lena", parent_id=FAMILY.subject)
    handler = GetChildProfileHandler(VisibleChildren(side.store, side.keyring), 1_800.0)
    scope = Scope.of(OFFICER, "GetChildProfile")
    assert life_of(await handler.handle(GetChildProfile("lena"), scope)) == inf
    await side.close_key("lena")
    lacking = await handler.handle(GetChildProfile("lena"), scope)
    assert life_of(lacking) == UNREADABLE_SECONDS


async def test_a_key_that_comes_after_all_opens_without_a_restart(side: QuerySide):
    # given
    await side.child("lena", name="Lena")
    (key,) = await side.key_store.find(["lena"])
    await side.close_key("lena", "kek-on-its-way")
    assert (await side.ask(SearchChildren(age_min=1), OFFICER))["unreadable"] == ["lena"]

    # when
    (closed,) = await side.key_store.find(["lena"])
    await side.key_store.replace([(closed, key)])

    # then
    answer = await side.ask(SearchChildren(age_min=2), OFFICER)
    assert (names(answer, "items"), answer["unreadable"]) == ({"lena": "Lena"}, [])


SINCE = "2026-11-23T12:00:00.000Z"
OF_ONE_CHILD: list[Query] = [
    GetChildProfile("lena"),
    GetChildSafetyReport("lena"),
    GetChildConversations("lena"),
    GetChildAnalytics("lena"),
    GetAlertPolicy("lena"),
    GetChildSeries("lena"),
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
):
    # given an answer that is cached
    await side.child("lena", version=4)
    assert (await side.ask(query))["stale_since"] is None
    mark(side, "lena", stale=True)
    # then, though the version is the same
    assert (await side.ask(query))["stale_since"] == SINCE
    mark(side, "lena", stale=False)
    assert (await side.ask(query))["stale_since"] is None


@pytest.mark.parametrize(("query", "name"), OF_MANY, ids=["dashboard", "search"])
async def test_of_many_children_the_stale_one_is_reported(side: QuerySide, query: Query, name: str):
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


async def test_a_safety_report_of_a_stale_child_never_says_that_all_is_well(side: QuerySide):
    await side.child("lena")
    side.store.stale["lena"] = NOON
    report = await side.ask(GetChildSafetyReport("lena"))
    (advice,) = report["recommendations"]
    assert advice["code"] == "picture-is-incomplete"
    assert SINCE in advice["text"]


async def test_wherever_a_stale_child_is_shown_it_needs_attention(side: QuerySide):
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
):
    # given a child without any document
    side.store.stale["lena"] = NOON
    with pytest.raises(ChildDeadLettered):
        await side.ask(GetChildSafetyReport("lena"), asks)
    answer = await side.get("/v1/children/lena/safety-report", asks)
    assert (answer.status_code, answer.json()["code"]) == (503, "child-dead-lettered")
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.parametrize("asks", [parent("weiss"), device("bear-7")], ids=["parent", "bear"])
async def test_nobody_else_gets_whether_there_is_such_a_child(side: QuerySide, asks: Principal):
    side.store.stale["lena"] = NOON
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildProfile("lena"), asks)


async def test_an_erased_child_is_not_found_whatever_is_marked(side: QuerySide):
    await side.child("lena", status="erased")
    side.store.stale["lena"] = NOON
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildProfile("lena"))


def _stale(answer: Any, name: str) -> dict[str, str | None]:
    return {child["child_id"]: child["stale_since"] for child in answer[name]}
