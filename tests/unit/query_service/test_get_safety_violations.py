"""The queue of those who look into violations."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from query_service.queries.get_safety_violations import GetSafetyViolations
from query_service.queries.query import RequestRefused
from query_service.queries.visible_children import Forbidden
from query_service.read_store.port import VIOLATIONS_APART, ReadStoreUnavailable
from query_service.read_store.violation_filter import ViolationOrder, ViolationStatus
from shared.auth.access import Principal, Role
from shared.events.child import Severity
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, OFFICER, QuerySide, parent
from tests.support.read_model_builders import NOON, sealed, violation

PATH = "/v1/safety-violations"
ALL = ViolationStatus.ALL


@pytest.fixture
async def queue(side: QuerySide) -> QuerySide:
    """Two children; `h2` was resolved."""
    await side.child("lena", parent_id="weiss")
    await side.child("mia", parent_id="braun", status="deactivated")
    done: Any = {"resolved_at": NOON, "outcome": "confirmed", "resolved_by": "officer-1"}
    at = [NOON + timedelta(minutes=minutes) for minutes in range(5)]
    side.report(
        "lena",
        violation("l0", severity="low", at=at[0]),
        violation("h3", severity="high", at=at[3], assignee="officer-2"),
        violation("h2", severity="high", at=at[2], **done),
    )
    side.report(
        "mia",
        violation("h1", severity="high", at=at[1], assignee="officer-1"),
        violation("c4", severity="critical", at=at[4]),
    )
    return side


async def listed(side: QuerySide, **conditions: Any) -> list[str]:
    answer = await side.ask(GetSafetyViolations(**conditions), OFFICER)
    return [item["violation_id"] for item in answer["items"]]


async def test_the_most_severe_come_first_and_of_one_severity_the_oldest(queue: QuerySide):
    assert await listed(queue) == ["c4", "h1", "h3", "l0"]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"status": ViolationStatus.RESOLVED}, ["h2"]),
        ({"status": ALL}, ["c4", "h1", "h2", "h3", "l0"]),
        ({"status": ALL, "sort": ViolationOrder.OLDEST}, ["l0", "h1", "h2", "h3", "c4"]),
        ({"sort": ViolationOrder.NEWEST}, ["c4", "h3", "h1", "l0"]),
        ({"severity": Severity.HIGH}, ["h1", "h3"]),
        ({"assignee": "officer-2"}, ["h3"]),
        ({"assignee": "officer-3"}, []),
        ({"child_id": "lena", "status": ALL}, ["h2", "h3", "l0"]),
        ({"child_id": "nobody"}, []),
    ],
)
async def test_every_condition_holds(
    queue: QuerySide, conditions: dict[str, Any], expected: list[str]
):
    assert await listed(queue, **conditions) == expected


@pytest.mark.parametrize("sort", ViolationOrder)
async def test_pages_follow_one_another(queue: QuerySide, sort: ViolationOrder):
    # given
    query = GetSafetyViolations(status=ALL, sort=sort, limit=2)
    seen, cursor = [], None
    # when
    for _ in range(3):
        page = await queue.ask(replace(query, cursor=cursor), OFFICER)
        seen += [item["violation_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    # then
    assert cursor is None
    assert seen == await listed(queue, status=ALL, sort=sort)


async def test_a_cursor_of_another_list_is_refused(queue: QuerySide):
    cursor = (await queue.ask(GetSafetyViolations(limit=1), OFFICER))["next_cursor"]
    assert cursor is not None
    for other in (
        {"status": ALL},
        {"child_id": "lena"},
        {"severity": Severity.LOW},
        {"sort": ViolationOrder.NEWEST},
    ):
        with pytest.raises(RequestRefused, match="not a cursor of this list"):
            await queue.ask(GetSafetyViolations(cursor=cursor, **other), OFFICER)


async def test_an_item_has_what_was_said_of_the_violation(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    cipher = await side.keyring.create("lena")
    texts = {name: sealed(cipher, "lena", name, f"its {name}") for name in ("details", "note")}
    reason = sealed(cipher, "lena", "reason", "heard again")
    more: dict[str, Any] = {**texts, "reason": reason, "reopenings": 2, "assignee": "officer-1"}
    side.report("lena", violation("v1", severity="high", conversation_id="talk-1", **more))
    side.store.stale["lena"] = NOON
    # when
    (item,) = (await side.ask(GetSafetyViolations(), ADMIN))["items"]
    # then
    assert item == {
        "child_id": "lena",
        "child_name": "Lena Weiss",
        "violation_id": "v1",
        "stale_since": "2026-11-23T12:00:00.000Z",
        "type": "bullying",
        "severity": "high",
        "at": "2026-11-23T12:00:00.000Z",
        "conversation_id": "talk-1",
        "details": "its details",
        "acknowledged_at": None,
        "assignee": "officer-1",
        "resolved_at": None,
        "resolved_by": None,
        "outcome": None,
        "note": "its note",
        "reopenings": 2,
        "reopening_reason": "heard again",
    }


async def test_what_does_not_open_is_null_and_named(side: QuerySide):
    await side.child("lena")
    cipher = await side.keyring.create("lena")
    side.report("lena", violation("v1", details=sealed(cipher, "lena", "note", "moved here")))
    answer = await side.ask(GetSafetyViolations(), OFFICER)
    assert answer["items"][0]["details"] is None
    assert answer["unreadable"] == ["v1.details"]


@pytest.mark.parametrize("how", ["its key is destroyed", "its document says so", "it has none"])
async def test_an_erased_child_is_not_shown_and_the_list_goes_on(queue: QuerySide, how: str):
    # given that its violations are still there
    if how == "its key is destroyed":
        await queue.destroy_key("mia")
    elif how == "it has none":
        del queue.store.children["mia"]
    else:
        queue.store.children["mia"]["status"] = "erased"
    # when
    first = await queue.ask(GetSafetyViolations(limit=2), OFFICER)
    rest = await queue.ask(GetSafetyViolations(limit=2, cursor=first["next_cursor"]), OFFICER)
    # then
    shown = [item["violation_id"] for page in (first, rest) for item in page["items"]]
    assert shown == ["h3", "l0"]


async def test_it_is_never_cached_and_unchanged_as_long_as_nothing_happens(queue: QuerySide):
    # given
    first = await queue.get(PATH, OFFICER)
    # when
    queue.store.violations["mia/c4"]["assignee"] = "officer-9"
    second = await queue.get(PATH, OFFICER)
    async with queue.client(OFFICER) as client:
        third = await client.get(PATH, headers={"If-None-Match": second.headers["ETag"]})
    # then
    assert first.json()["items"][0]["assignee"] is None
    assert second.json()["items"][0]["assignee"] == "officer-9"
    assert third.status_code == 304


@pytest.mark.parametrize("role", [Role.PARENT, Role.DEVICE, Role.ANALYST])
async def test_only_the_staff_sees_it(queue: QuerySide, role: Role):
    assert_problem(await queue.get(PATH, Principal("weiss", role)), 403, "forbidden")
    with pytest.raises(Forbidden):
        await queue.ask(GetSafetyViolations(), Principal("weiss", role))


@pytest.mark.parametrize(
    ("parameter", "field"),
    [
        ("status=closed", "status"),
        ("severity=awful", "severity"),
        ("sort=age", "sort"),
        ("limit=101", "limit"),
        ("child_id=a%20b", "child_id"),
        ("assignee=", "assignee"),
    ],
)
async def test_what_cannot_be_asked_is_refused(queue: QuerySide, parameter: str, field: str):
    answer = await queue.get(f"{PATH}?{parameter}", OFFICER)
    assert_problem(answer, 422, "invalid-request", field)


async def test_read_models_that_do_not_list_violations_say_that_they_cannot(queue: QuerySide):
    queue.store.projections = VIOLATIONS_APART - 1
    with pytest.raises(ReadStoreUnavailable):
        await queue.ask(GetSafetyViolations(), OFFICER)


async def test_a_family_sees_neither_who_looked_into_it_nor_what_they_noted(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    cipher = await side.keyring.create("lena")
    note = sealed(cipher, "lena", "note", "their note")
    more: dict[str, Any] = {"note": note, "assignee": "officer-1", "resolved_by": "officer-2"}
    side.report("lena", violation("v1", **more))
    # when
    report = await side.get("/v1/children/lena/safety-report", parent("weiss"))
    # then
    assert report.json()["violations"][0]["violation_id"] == "v1"
    assert "officer" not in report.text
    assert "their note" not in report.text
