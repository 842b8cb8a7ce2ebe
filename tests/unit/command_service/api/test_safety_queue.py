"""What the staff do about violations, over HTTP."""

import pytest

from tests.support.command_side import OFFICER, CommandClient
from tests.support.problem_documents import assert_problem

REPORT = {"type": "bullying", "severity": "high"}
RESOLUTION = {"outcome": "confirmed", "note": "Talked with the parents."}
REASON = {"reason": "It was heard again."}


@pytest.fixture
async def violation(officer: CommandClient, child: str) -> str:
    """The path of an open violation."""
    path = f"{child}/safety-violations"
    return f"{path}/{(await officer.send('POST', path, REPORT)).json()['violation_id']}"


async def test_a_violation_is_resolved_with_a_note_reopened_and_resolved_again(
    officer: CommandClient, violation: str
):
    for _ in range(2):
        resolved = await officer.send("POST", f"{violation}/resolution", RESOLUTION)
        assert (resolved.status_code, resolved.json()["events"]) == (
            200,
            ["SafetyViolationResolved"],
        )
        reopened = await officer.send("POST", f"{violation}/reopening", REASON)
        assert (reopened.status_code, reopened.json()["events"]) == (
            200,
            ["SafetyViolationReopened"],
        )
    again = await officer.send("POST", f"{violation}/reopening", REASON)
    assert_problem(again, 409, "violation-not-resolved")


async def test_a_reopening_says_why(officer: CommandClient, violation: str):
    await officer.send("POST", f"{violation}/resolution", {"outcome": "confirmed"})
    without = await officer.send("POST", f"{violation}/reopening", {})
    too_long = await officer.send("POST", f"{violation}/reopening", {"reason": "x" * 501})
    assert_problem(without, 422, "invalid-request", "reason")
    assert_problem(too_long, 422, "invalid-request", "reason", "1..500 characters")


async def test_a_violation_is_assigned_to_the_caller_another_or_nobody(
    officer: CommandClient, violation: str
):
    path = f"{violation}/assignee"
    to_myself = await officer.send("PUT", path, {})
    by_name = await officer.send("PUT", path, {"assignee": OFFICER.subject})
    to_another = await officer.send("PUT", path, {"assignee": "officer-7"})
    to_nobody = await officer.send("PUT", path, {"assignee": None})
    again = await officer.send("PUT", path, {"assignee": None})
    assigned = ["SafetyViolationAssigned"]
    answers = (to_myself, by_name, to_another, to_nobody, again)
    assert [one.status_code for one in answers] == [200] * 5
    assert [one.json()["events"] for one in answers] == [assigned, [], assigned, assigned, []]


async def test_only_a_subject_can_be_an_assignee(officer: CommandClient, violation: str):
    answer = await officer.send("PUT", f"{violation}/assignee", {"assignee": "Ada L."})
    assert_problem(answer, 422, "invalid-request", "assignee")


async def test_what_is_resolved_is_not_assigned(officer: CommandClient, violation: str):
    await officer.send("POST", f"{violation}/resolution", {"outcome": "confirmed"})
    answer = await officer.send("PUT", f"{violation}/assignee", {})
    assert_problem(answer, 409, "violation-already-resolved")


async def test_neither_a_parent_nor_a_bear_does_what_the_staff_does(
    mother: CommandClient, bear: CommandClient, officer: CommandClient, violation: str
):
    for caller in (mother, bear):
        assigned = await caller.send("PUT", f"{violation}/assignee", {})
        assert_problem(assigned, 403, "forbidden")
    await officer.send("POST", f"{violation}/resolution", {"outcome": "confirmed"})
    for caller in (mother, bear):
        reopened = await caller.send("POST", f"{violation}/reopening", REASON)
        assert_problem(reopened, 403, "forbidden")
