"""A child's conversations, alerts, and violations of a generation before 7."""

from datetime import timedelta
from typing import cast

import pytest

from query_service.queries.cursors import Cursors
from query_service.queries.get_alerts import GetAlerts
from query_service.queries.get_child_conversations import (
    GetChildConversations,
    GetChildConversationsHandler,
)
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.queries.get_children_by_parent import (
    GetChildrenByParent,
    GetChildrenByParentHandler,
)
from query_service.queries.query import RequestRefused
from query_service.queries.search_children import SearchChildren
from query_service.queries.visible_children import Scope, VisibleChildren
from query_service.read_store.violations import listed_in
from shared.read_models.documents import ConversationDocument, Model
from tests.support.projection_facts import (
    MIA,
    TALK,
    ended,
    later,
    message,
    registered,
    started,
    view_of,
)
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.read_model_builders import NOON, safety_document, sealed, violation

HOUR = timedelta(hours=1)


async def test_a_conversation_is_reported_with_its_topics_and_minutes(side: QuerySide):
    # given
    await side.child("lena", version=9)
    side.conversation(
        "lena",
        "c1",
        ended_at=NOON + HOUR,
        duration_minutes=60.0489,
        message_count=12,
        topic="bears",
        topics=["bears", "stars"],
        engagement_score=80.0,
        flagged=1,
        safety_violations=2,
    )
    # when
    answer = await side.ask(GetChildConversations("lena"))
    # then
    assert answer == {
        "child_id": "lena",
        "version": 9,
        "stale_since": None,
        "items": [
            {
                "conversation_id": "c1",
                "started_at": "2026-11-23T12:00:00.000Z",
                "ended_at": "2026-11-23T13:00:00.000Z",
                "duration_minutes": 60.0,
                "message_count": 12,
                "topic": "bears",
                "topics": ["bears", "stars"],
                "engagement_score": 80.0,
                "flagged": 1,
                "safety_violations": 2,
            }
        ],
        "next_cursor": None,
    }


async def test_conversations_come_in_pages_the_newest_first(side: QuerySide):
    # given five, of which two began at the same moment
    await side.child("lena")
    for number in range(5):
        side.conversation("lena", f"c{number}", started_at=NOON + number // 2 * HOUR)
    side.conversation("tom", "other")
    # when
    seen: list[str] = []
    cursor = None
    while True:
        page = await side.ask(GetChildConversations("lena", limit=2, cursor=cursor))
        seen += [one["conversation_id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    # then
    assert seen == ["c4", "c2", "c3", "c0", "c1"]


async def test_one_that_goes_on_has_no_end_and_the_minutes_until_now(side: QuerySide):
    # given a conversation of half an hour, and one that begins later than this clock says
    await side.child("lena")
    side.conversation("lena", "c1", started_at=NOON - HOUR / 2, message_count=3)
    side.conversation("lena", "c2", started_at=NOON + HOUR)
    # when
    early, talk = (await side.ask(GetChildConversations("lena")))["items"]
    # then
    assert (talk["ended_at"], talk["duration_minutes"]) == (None, 30.0)
    assert talk["engagement_score"] == 75.0
    assert (early["ended_at"], early["duration_minutes"]) == (None, 0.0)


async def test_one_that_nobody_ended_is_over_when_one_may_last_no_longer(side: QuerySide):
    # given one, and what the fold makes of the same when it is ended too late
    await side.child("lena")
    side.now = later(24 * 60)
    left_open = (registered(), started(), message())
    for name, facts in (("c1", left_open), ("c2", (*left_open, ended(end=20 * 60)))):
        talk = view_of(*facts).documents[Model.CONVERSATIONS, f"{MIA}/{TALK}"]
        document = {**talk, "_id": f"lena/{name}", "child_id": "lena"}
        side.store.conversations[f"lena/{name}"] = cast(ConversationDocument, document)
    # when
    over, ended_late = (await side.ask(GetChildConversations("lena")))["items"]
    # then
    assert over == ended_late
    assert over["duration_minutes"] == 240.0
    assert over["engagement_score"] == 100.0


@pytest.mark.parametrize(("since", "kept"), [(timedelta(), 60), (3 * HOUR, 60), (4 * HOUR, 900)])
async def test_a_page_with_one_that_goes_on_is_soon_read_again(
    side: QuerySide, since: timedelta, kept: float
):
    # given
    await side.child("lena", parent_id="weiss")
    side.conversation("lena", "c1", started_at=NOON - since)
    side.conversation("lena", "c0", started_at=NOON - 9 * HOUR, ended_at=NOON - 8 * HOUR)
    children = VisibleChildren(side.store, side.keyring)
    cursors = Cursors(bytes(32), "conversations")
    of_child = GetChildConversationsHandler(side.store, children, cursors, lambda: NOON, 900)
    of_family = GetChildrenByParentHandler(
        side.store, children, Cursors(bytes(32), "family"), lambda: NOON, 900
    )
    # when
    page = await of_child.handle(
        GetChildConversations("lena"), Scope.of(ADMIN, "GetChildConversations")
    )
    family = await of_family.handle(
        GetChildrenByParent("weiss"), Scope.of(ADMIN, "GetChildrenByParent")
    )
    # then
    assert (page.ttl, family.ttl) == (kept, kept)


async def test_a_change_of_the_child_drops_every_page(side: QuerySide):
    await side.child("lena")
    side.conversation("lena", "c1")
    assert len((await side.ask(GetChildConversations("lena")))["items"]) == 1
    side.conversation("lena", "c2")
    side.change("lena")
    assert len((await side.ask(GetChildConversations("lena")))["items"]) == 2


WEISS = parent("weiss")


async def test_a_parent_reads_what_they_were_alerted_to(side: QuerySide):
    # given
    read = {"delivered": {"in_app": NOON}, "acknowledged_at": NOON + timedelta(minutes=2)}
    side.alert("a1", rule="count", severity="medium", **read, parent_id="weiss")
    side.alert("b1", parent_id="braun")
    # when
    answer = await side.ask(GetAlerts("weiss"), WEISS)
    # then
    assert answer == {
        "items": [
            {
                "alert_id": "a1",
                "child_id": "child-1",
                "rule": "count",
                "violation_id": "violation-1",
                "violation_type": "bullying",
                "severity": "medium",
                "channels": ["in_app"],
                "raised_at": "2026-11-23T12:00:00.000Z",
                "acknowledged_at": "2026-11-23T12:02:00.000Z",
                "delivered": {"in_app": "2026-11-23T12:00:00.000Z"},
            }
        ],
        "next_cursor": None,
    }


async def test_an_alert_is_unread_until_it_is_acknowledged(side: QuerySide):
    # given one of today, and one of read models before there were acknowledgements
    side.alert("a1", parent_id="weiss")
    side.alert("a0", raised_at=NOON - timedelta(days=1), parent_id="weiss")
    del side.store.alerts["a0"]["acknowledged_at"]
    answer = await side.ask(GetAlerts("weiss"), WEISS)
    assert [item["acknowledged_at"] for item in answer["items"]] == [None, None]


async def test_alerts_come_in_pages_the_newest_first(side: QuerySide):
    # given
    for number in range(5):
        side.alert(f"a{number}", raised_at=NOON + timedelta(hours=number // 2), parent_id="weiss")
    # when
    first = await side.ask(GetAlerts("weiss", limit=3), WEISS)
    second = await side.ask(GetAlerts("weiss", limit=3, cursor=first["next_cursor"]), WEISS)
    # then
    assert [item["alert_id"] for item in first["items"]] == ["a4", "a2", "a3"]
    assert [item["alert_id"] for item in second["items"]] == ["a0", "a1"]
    assert second["next_cursor"] is None


async def test_alerts_are_never_cached(side: QuerySide):
    await side.ask(GetAlerts("weiss"), WEISS)
    side.alert("a1", parent_id="weiss")
    assert len((await side.ask(GetAlerts("weiss"), WEISS))["items"]) == 1


async def test_a_cursor_of_another_list_is_refused(side: QuerySide):
    # given a cursor of the search
    await side.child("lena")
    await side.child("leo")
    page = await side.ask(SearchChildren(limit=1))
    with pytest.raises(RequestRefused):
        await side.ask(GetAlerts("weiss", cursor=page["next_cursor"]), WEISS)


DAY = timedelta(days=1)


async def test_they_are_read_from_the_list_with_their_details_open(side: QuerySide):
    # given a generation of which today's projections wrote nothing
    await side.child("lena")
    side.store.projections = 6
    details = sealed(await side.keyring.create("lena"), "lena", "details", "rude", 2, of="v1")
    side.store.safety_documents["lena"] = safety_document(
        "lena",
        violation("v1", details=details, severity="high", alerted=None),
        violation("v2", at=NOON + DAY),
        violations_by_category={"bullying": 2},
    )
    # when
    report = await side.ask(GetChildSafetyReport("lena", limit=1))
    rest = await side.ask(GetChildSafetyReport("lena", limit=1, cursor=report["next_cursor"]))
    # then
    assert [one["violation_id"] for one in report["violations"]] == ["v2"]
    assert [one["details"] for one in rest["violations"]] == ["rude"]
    assert rest["next_cursor"] is None
    assert report["total_violations"] == 2
    codes = [advice["code"] for advice in report["recommendations"]]
    assert codes == ["enable-immediate-notifications"]


def test_what_the_oldest_projections_did_not_keep_or_write_asks_for_nothing():
    # given an entry of projections before 4
    entry = violation("v1", severity="critical")
    del entry["alerted"]
    del entry["acknowledged_at"]
    (document,) = listed_in(safety_document("lena", entry))
    assert (document["alerted"], document["acknowledged_at"]) == ("threshold", None)
    assert document["_id"] == "lena/v1"
    assert listed_in(None) == []
