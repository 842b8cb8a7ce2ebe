"""POST /operations: who may ask for what, that a second one waits, and that a repetition is one."""

from typing import Any

import pytest

from command_service.handlers.start_operation import NAMES
from shared.auth.access import Principal
from shared.clock import utc_now
from shared.operations import Ended, OperationKind, OperationState, ReadModelName
from shared.read_models.documents import Model
from tests.support.child_facts import ADA
from tests.support.command_side import (
    ADMIN,
    ANALYST,
    BEAR,
    MOTHER,
    OFFICER,
    CommandClient,
    CommandSide,
)
from tests.support.problem_documents import assert_problem

PATH = "/operations"
REBUILD = {"kind": "rebuild", "models": ["safety", "children"]}


def test_a_rebuild_may_be_limited_to_every_read_model_there_is():
    assert {one.value for one in ReadModelName} == {one.value for one in Model}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "rebuild"},
        {"kind": "rebuild", "models": None},
        REBUILD,
        {"kind": "redrive-children"},
        {"kind": "redrive-children", "child_ids": [ADA], "from_store": True},
        {"kind": "redrive-notifications"},
        {"kind": "clear-caches"},
    ],
    ids=str,
)
async def test_an_admin_asks_for_an_operation(
    side: CommandSide, admin: CommandClient, body: dict[str, Any]
):
    # when
    answer = await admin.send("POST", PATH, body)
    # then
    assert answer.status_code == 202, answer.text
    (request,) = await side.database.operations.open()
    assert answer.json() == {
        "operation_id": request.id,
        "kind": body["kind"],
        "state": "requested",
    }
    assert (request.kind, request.requested_by) == (body["kind"], ADMIN.subject)
    assert set(request.models or ()) == set(body.get("models") or ())
    assert list(request.child_ids or ()) == (body.get("child_ids") or [])
    assert request.from_store is body.get("from_store", False)


@pytest.mark.parametrize("principal", [MOTHER, BEAR, OFFICER, ANALYST], ids=lambda one: one.role)
async def test_nobody_else_may(side: CommandSide, principal: Principal):
    async with side.client(principal) as client:
        answer = await client.send("POST", PATH, {"kind": "rebuild"})
    assert_problem(answer, 403, "forbidden")
    assert await side.database.operations.open() == []


async def test_a_second_one_of_the_kind_is_refused_until_the_first_has_ended(
    side: CommandSide, admin: CommandClient
):
    # given
    first = (await admin.send("POST", PATH, REBUILD)).json()["operation_id"]
    # when
    second = await admin.send("POST", PATH, {"kind": "rebuild"})
    other = await admin.send("POST", PATH, {"kind": "redrive-children"})
    # then
    assert_problem(second, 409, "operation-running")
    assert second.json()["operation_id"] == first
    assert first in second.json()["detail"]
    assert other.status_code == 202
    # when
    await side.database.operations.end(first, Ended(OperationState.DONE, "done", utc_now()))
    # then
    assert (await admin.send("POST", PATH, REBUILD)).status_code == 202


async def test_the_same_request_under_the_same_key_is_one_operation_also_after_its_end(
    side: CommandSide, admin: CommandClient
):
    # given
    first = await admin.send("POST", PATH, REBUILD, key="rebuild-0001")
    # when
    again = await admin.send(
        "POST", PATH, {**REBUILD, "models": ["children", "safety"]}, key="rebuild-0001"
    )
    operation_id = first.json()["operation_id"]
    await side.database.operations.end(operation_id, Ended(OperationState.DONE, "ok", utc_now()))
    later = await admin.send("POST", PATH, REBUILD, key="rebuild-0001")
    # then
    assert first.json() == again.json() == later.json()
    assert "Idempotency-Replayed" not in first.headers
    assert [each.headers["Idempotency-Replayed"] for each in (again, later)] == ["true", "true"]
    assert len(side.database.operations.taken) == 1


async def test_a_key_that_was_used_for_another_request_is_refused(admin: CommandClient):
    await admin.send("POST", PATH, REBUILD, key="rebuild-0001")
    answer = await admin.send("POST", PATH, {"kind": "redrive-children"}, key="rebuild-0001")
    assert_problem(answer, 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "kind", "required"),
        ({"kind": "reboot"}, "kind", "must be one of"),
        ({"kind": "rebuild", "models": ["parents"]}, "models.0", "must be one of"),
        ({"kind": "rebuild", "models": []}, "models", "must have 1 to 7 entries"),
        ({"kind": "rebuild", "models": ["safety"] * 2}, "models", "must contain each entry"),
        ({"kind": "rebuild", "child_ids": [ADA]}, "child_ids", "must be left out: it belongs to"),
        (
            {"kind": "redrive-children", "models": ["safety"]},
            "models",
            "must be left out: it belongs to",
        ),
        ({"kind": "redrive-children", "child_ids": ["Ada Mai"]}, "child_ids.0", "must be 1..64"),
        (
            {"kind": "redrive-children", "child_ids": [f"child-{at}" for at in range(101)]},
            "child_ids",
            "must have 1 to 100 entries",
        ),
        ({"kind": "rebuild", "from_store": True}, "from_store", "must be left out: it belongs to"),
        ({"kind": "rebuild", "force": True}, "force", "unknown field"),
    ],
    ids=str,
)
async def test_what_cannot_be_meant_is_refused_by_field(
    side: CommandSide, admin: CommandClient, body: dict[str, Any], field: str, message: str
):
    answer = await admin.send("POST", PATH, body)
    assert_problem(answer, 422, "invalid-request")
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert error["message"].startswith(message)
    assert side.database.operations.taken == {}


async def test_the_audit_trail_names_who_asked_for_what_about_whom(
    side: CommandSide, admin: CommandClient
):
    # when
    await admin.send("POST", PATH, {"kind": "redrive-children", "child_ids": [ADA]}, key="12345678")
    await admin.send("POST", PATH, {"kind": "redrive-children", "child_ids": [ADA]}, key="12345678")
    await admin.send("POST", PATH, {"kind": "redrive-children"})
    await admin.send("POST", PATH, {"kind": "rebuild"})
    await admin.send("POST", PATH, {"kind": "redrive-notifications"})
    await admin.send("POST", PATH, {"kind": "clear-caches"})
    await admin.send("POST", PATH, {})
    # then
    assert [(one.operation, one.outcome, one.children) for one in side.audit.entries] == [
        ("RedriveChildren", "accepted", (ADA,)),
        ("RedriveChildren", "replayed", (ADA,)),
        ("RedriveChildren", "operation-running", ()),
        ("RebuildReadModels", "accepted", ()),
        ("RedriveNotifications", "accepted", ()),
        ("ClearCaches", "accepted", ()),
        ("StartOperation", "invalid-request", ()),
    ]
    assert {one.subject for one in side.audit.entries} == {ADMIN.subject}
    assert all(one.address for one in side.audit.entries)


async def test_what_cannot_be_recorded_is_not_begun(side: CommandSide, admin: CommandClient):
    side.audit.away = True
    answer = await admin.send("POST", PATH, REBUILD)
    assert_problem(answer, 503, "audit-unavailable")
    assert side.database.operations.taken == {}


def test_every_kind_has_a_name_on_record():
    assert set(NAMES) == set(OperationKind)
