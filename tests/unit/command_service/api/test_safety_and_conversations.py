"""Violations, alert policies and conversations, over HTTP."""

from typing import Any
from uuid import UUID

import pytest

from command_service.child.conversations import OPEN_CONVERSATIONS
from shared.event_store.envelope import verify_chain
from tests.support.command_side import CommandClient, CommandSide
from tests.support.consents import BORN, REGISTRATION
from tests.support.problem_documents import assert_problem

UNKNOWN = "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11"
POLICY = {"threshold": "medium", "count": 5, "window_hours": 48, "channels": ["in_app", "webhook"]}
REPORT = {"type": "bullying", "severity": "high", "details": "in the\nplayground"}
MESSAGE = {"role": "child", "word_count": 12, "topic": "dinosaurs"}


async def test_a_violation_is_reported_and_resolved_once(officer: CommandClient, child: str):
    path = f"{child}/safety-violations"
    # when
    reported = await officer.send("POST", path, REPORT)
    # then
    assert reported.status_code == 201
    violation_id = reported.json()["violation_id"]
    assert UUID(violation_id)
    resolution = f"{path}/{violation_id}/resolution"
    resolved = await officer.send("POST", resolution, {"outcome": "false_positive"})
    assert (resolved.status_code, resolved.json()["version"]) == (200, BORN + 2)
    again = await officer.send("POST", resolution, {"outcome": "confirmed"})
    assert_problem(again, 409, "violation-already-resolved")


async def test_a_violation_is_acknowledged_by_the_parent_and_again_without_effect(
    mother: CommandClient, officer: CommandClient, child: str
):
    path = f"{child}/safety-violations"
    violation_id = (await officer.send("POST", path, REPORT)).json()["violation_id"]
    # when
    acknowledgement = f"{path}/{violation_id}/acknowledgement"
    first = await mother.send("POST", acknowledgement)
    again = await mother.send("POST", acknowledgement)
    # then
    assert (first.status_code, first.json()["events"]) == (200, ["SafetyViolationAcknowledged"])
    assert (again.status_code, again.json()["events"]) == (200, [])
    assert again.json()["version"] == first.json()["version"]
    assert_problem(await officer.send("POST", acknowledgement), 403, "forbidden")


async def test_what_is_not_the_childs_cannot_be_acknowledged(
    mother: CommandClient, stranger: CommandClient, child: str
):
    path = f"{child}/safety-violations"
    violation_id = (await mother.send("POST", path, REPORT)).json()["violation_id"]
    unknown = await mother.send("POST", f"{path}/{UNKNOWN}/acknowledgement")
    of_others = await stranger.send("POST", f"{path}/{violation_id}/acknowledgement")
    assert_problem(unknown, 404, "violation-not-found")
    assert_problem(of_others, 404, "child-not-found")


async def test_a_report_of_an_unknown_conversation_arrives_and_says_that_it_has_no_link(
    mother: CommandClient, child: str
):
    path = f"{child}/safety-violations"
    body = {**REPORT, "severity": "critical", "conversation_id": UNKNOWN}
    # when
    reported = await mother.send("POST", path, body, key="the-first")
    again = await mother.send("POST", path, body, key="the-first")
    # then
    assert reported.status_code == 201
    assert reported.json()["events"] == ["SafetyViolationReported"]
    assert reported.json()["ignored"] == ["conversation_id"]
    assert again.json() == reported.json()


async def test_a_report_of_a_conversation_that_was_started_is_linked(
    mother: CommandClient, bear: CommandClient, child: str
):
    started = await bear.send("POST", f"{child}/conversations", {})
    conversation_id = started.json()["conversation_id"]
    body = {**REPORT, "conversation_id": conversation_id}
    reported = await mother.send("POST", f"{child}/safety-violations", body)
    assert reported.status_code == 201
    assert "ignored" not in reported.json()


@pytest.mark.parametrize(
    ("body", "field", "limit"),
    [
        ({**REPORT, "severity": "extreme"}, "severity", "low, medium, high, critical"),
        ({**REPORT, "type": ""}, "type", "1..64"),
        ({"type": "bullying"}, "severity", None),
    ],
)
async def test_reports_that_break_a_rule_are_refused(
    side: CommandSide, mother: CommandClient, body: Any, field: str, limit: str | None, child: str
):
    response = await mother.send("POST", f"{child}/safety-violations", body)
    assert_problem(response, 422, "invalid-request", field, limit)
    assert await side.stored_events() == [*REGISTRATION]


async def test_an_unknown_violation_is_not_found(officer: CommandClient, child: str):
    path = f"{child}/safety-violations/{UNKNOWN}/resolution"
    assert_problem(
        await officer.send("POST", path, {"outcome": "confirmed"}), 404, "violation-not-found"
    )
    assert_problem(
        await officer.send("POST", path, {"outcome": "maybe"}), 422, "invalid-request", "outcome"
    )


async def test_an_alert_policy_is_put(mother: CommandClient, child: str):
    response = await mother.send("PUT", f"{child}/alert-policy", POLICY)
    assert (response.status_code, response.json()["events"]) == (200, ["AlertPolicyConfigured"])


@pytest.mark.parametrize(
    ("changes", "field", "limit"),
    [
        ({"count": 1}, "count", "2..100"),
        ({"channels": ["in_app", "in_app"]}, "channels", "1..3"),
        ({"channels": ["pigeon"]}, "channels.0", "in_app, webhook, email"),
        ({"threshold": "none"}, "threshold", "low, "),
    ],
)
async def test_alert_policies_out_of_range_are_refused(
    mother: CommandClient, changes: Any, field: str, limit: str, child: str
):
    response = await mother.send("PUT", f"{child}/alert-policy", {**POLICY, **changes})
    assert_problem(response, 422, "invalid-request", field, limit)


async def test_a_conversation_from_start_to_end(mother: CommandClient, bear: CommandClient):
    # given
    child_id = await mother.register()
    path = f"/children/{child_id}/conversations"
    # when
    started = await bear.send("POST", path, {"topic": "dinosaurs"})
    talk = f"{path}/{started.json()['conversation_id']}"
    message = {**MESSAGE, "flagged_categories": ["address"], "learning_skills": ["counting"]}
    recorded = await bear.send("POST", f"{talk}/messages", message)
    ended = await bear.send("POST", f"{talk}/end")
    # then
    assert [started.status_code, recorded.status_code, ended.status_code] == [201, 201, 200]
    assert ended.json() == {
        "child_id": child_id,
        "version": BORN + 3,
        "events": ["ConversationEnded"],
    }
    late = await bear.send("POST", f"{talk}/messages", MESSAGE)
    assert_problem(late, 409, "conversation-not-open")


async def test_a_bear_may_choose_the_id_of_a_conversation_once(bear: CommandClient, child: str):
    path, chosen = f"{child}/conversations", {"conversation_id": UNKNOWN}
    # when
    started = await bear.send("POST", path, chosen)
    # then
    assert started.json()["conversation_id"] == UNKNOWN
    again = await bear.send("POST", path, chosen)
    assert_problem(again, 409, "conversation-id-used", "conversation_id")
    odd = await bear.send("POST", path, {"conversation_id": "talk"})
    assert_problem(odd, 422, "invalid-request", "conversation_id", "36 characters")


@pytest.mark.parametrize(
    ("body", "field", "limit"),
    [
        ({**MESSAGE, "text": "my name is Ada"}, "text", None),
        ({**MESSAGE, "role": "parent"}, "role", "child, bear"),
        ({**MESSAGE, "word_count": "12"}, "word_count", None),
        ({**MESSAGE, "topic": "x" * 65}, "topic", "1..64"),
        ({**MESSAGE, "flagged_categories": ["x"] * 21}, "flagged_categories", "0..20"),
        ({**MESSAGE, "learning_skills": [""]}, "learning_skills.0", "1..64"),
    ],
)
async def test_messages_that_break_a_rule_are_refused(
    bear: CommandClient, body: Any, field: str, limit: str | None, child: str
):
    await bear.send("POST", f"{child}/conversations", {"conversation_id": UNKNOWN})
    path = f"{child}/conversations/{UNKNOWN}/messages"
    assert_problem(await bear.send("POST", path, body), 422, "invalid-request", field, limit)


async def test_a_conversation_that_never_was_is_not_found(bear: CommandClient, child: str):
    talk = f"{child}/conversations/{UNKNOWN}"
    for path, body in ((f"{talk}/messages", MESSAGE), (f"{talk}/end", None)):
        assert_problem(await bear.send("POST", path, body), 404, "conversation-not-found")


ENDED_AND_STARTED = ["ConversationEnded", "ConversationStarted"]


async def test_a_bear_that_ends_nothing_is_never_refused_and_the_oldest_ends(
    side: CommandSide, mother: CommandClient, bear: CommandClient
):
    # given
    child_id = await mother.register()
    path = f"/children/{child_id}/conversations"
    started = []
    for _ in range(OPEN_CONVERSATIONS):
        side.clock.pass_by(seconds=1)
        started.append((await bear.send("POST", path, {})).json()["conversation_id"])
    # when
    one_more = await bear.send("POST", path, {}, key="start-101")
    again = await bear.send("POST", path, {}, key="start-101")
    # then
    assert one_more.status_code == 201, one_more.text
    assert (one_more.status_code, one_more.json()["events"]) == (201, ENDED_AND_STARTED)
    assert one_more.json()["version"] == BORN + OPEN_CONVERSATIONS + 2
    assert again.json() == one_more.json()
    oldest = await bear.send("POST", f"{path}/{started[0]}/messages", MESSAGE)
    assert_problem(oldest, 409, "conversation-not-open")
    for conversation_id in (started[1], one_more.json()["conversation_id"]):
        message = await bear.send("POST", f"{path}/{conversation_id}/messages", MESSAGE)
        assert message.status_code == 201
    assert (
        verify_chain(await side.database.events.load(child_id)).version
        == BORN + OPEN_CONVERSATIONS + 4
    )
