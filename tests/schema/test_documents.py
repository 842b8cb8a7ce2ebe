"""Both OpenAPI documents against what the APIs do: every operation, generated requests, good and
bad, with a signed token of each role, and of a parent and a bear of elsewhere. All of
Schemathesis's checks; none may fail, and none answers 500. What a role may is what the table of
access says."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from starlette.testclient import TestClient

from shared.auth.access import Principal, Role
from shared.clock import new_id
from tests.schema.expected import (
    Answer,
    Case,
    check_refused,
    document_of,
    is_good,
    may,
    operations_of,
    refused_for_a_reason,
)
from tests.support import command_side, query_side
from tests.support.command_side import CommandSide
from tests.support.consents import CONSENTS
from tests.support.query_side import QuerySide

BOUNDED = settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
COMMANDS = CommandSide()
QUERIES = QuerySide()
CHILD, PARENT, BEAR = "lena", "weiss", "bear-7"
asyncio.run(QUERIES.child(CHILD, parent_id=PARENT, device_id=BEAR))

COMMAND_DOCUMENT = document_of(COMMANDS.app)
QUERY_DOCUMENT = document_of(QUERIES.app)
OPERATIONS = operations_of(COMMANDS.app, QUERIES.app)

ELSEWHERE = (Principal("a-stranger", Role.PARENT), Principal("a-stranger", Role.DEVICE))


@COMMAND_DOCUMENT.parametrize()
@BOUNDED
def test_the_command_api_does_as_its_document_and_the_table_of_access_say(case):
    bear = Principal(new_id(), Role.DEVICE)
    if is_good(case):
        case.headers["Idempotency-Key"] = new_id()
        if "child_id" in case.path_parameters:
            case.path_parameters["child_id"] = _new_child(bear)
    # who may not comes first: what the others do cannot be done twice
    at_home = (
        command_side.ANALYST,
        command_side.OFFICER,
        bear,
        command_side.MOTHER,
        command_side.ADMIN,
    )
    for principal in (*ELSEWHERE, *at_home):
        headers = {"Authorization": COMMANDS.bearer(principal)}
        own = principal not in ELSEWHERE if "child_id" in case.path_parameters else True
        _judge(case, case.call_and_validate(headers=headers), principal.role, own)


@QUERY_DOCUMENT.parametrize()
@BOUNDED
def test_the_query_api_does_as_its_document_and_the_table_of_access_say(case):
    if is_good(case):
        known = {"child_id": CHILD, "parent_id": PARENT}
        case.path_parameters |= {k: known[k] for k in case.path_parameters if k in known}
        case.headers.pop("Consistency-Token", None)  # signed: no generator can make one
        case.query.pop("cursor", None)
    at_home = (
        query_side.ADMIN,
        query_side.OFFICER,
        query_side.ANALYST,
        query_side.parent(PARENT),
        query_side.device(BEAR),
    )
    for principal in (*ELSEWHERE, *at_home):
        answer = case.call_and_validate(headers=QUERIES.bearer(principal))
        own = principal not in ELSEWHERE if case.path_parameters else True
        _judge(case, answer, principal.role, own)
        assert principal not in ELSEWHERE or "Lena" not in answer.text


def _judge(case: Case, answer: Answer, role: Role, own: bool) -> None:
    operation = OPERATIONS.get(f"{case.method.upper()} {case.operation.path}")
    if operation is None:
        return  # for operators, or a method that the path does not take
    if not may(operation, role, own=own):
        check_refused(operation, role, case, answer)
    elif is_good(case):
        assert answer.status_code not in (401, 403)
        assert refused_for_a_reason(answer)


def _new_child(bear: Principal) -> str:
    body = {
        "name": "Ada",
        "age": 7,
        "udid": new_id(),
        "device_id": bear.subject,
        "parent_id": command_side.MOTHER.subject,
        "consents": CONSENTS,
    }
    headers = {"Authorization": COMMANDS.bearer(command_side.ADMIN)}
    client = TestClient(COMMANDS.app)
    registered = client.post("/v1/children", json=body, headers=headers)
    child_id: str = registered.json()["child_id"]
    return child_id


def test_every_operation_is_asked(subtests: pytest.Subtests) -> None:
    for document, least in ((COMMAND_DOCUMENT, 12), (QUERY_DOCUMENT, 10)):
        with subtests.test(least=least):
            assert len(list(document.get_all_operations())) >= least


def test_no_operation_of_the_table_is_left_out() -> None:
    asked: list[Any] = []
    for document in (COMMAND_DOCUMENT, QUERY_DOCUMENT):
        asked += [OPERATIONS.get(each.ok().label) for each in document.get_all_operations()]
    assert {*asked} - {None} == {*OPERATIONS.values()} - {"FollowFamily"}
