"""What the running services answer to bad input: a problem document, and nothing is changed."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from deploy.local.state import StackState
from shared.auth.access import Role
from shared.client import TeddyProblem
from shared.clock import new_id
from tests.support.callers import client, token
from tests.support.consents import BORN, CONSENTS

PARENT = f"parent-{new_id()}"
MEDIA_TYPE = "application/problem+json"


@pytest.fixture
async def command_api(running: StackState) -> AsyncIterator[httpx2.AsyncClient]:
    async with _api(running, "TEDDY_COMMAND_URL") as api:
        yield api


@pytest.fixture
async def query_api(running: StackState) -> AsyncIterator[httpx2.AsyncClient]:
    async with _api(running, "TEDDY_QUERY_URL") as api:
        yield api


@pytest.fixture
async def child(running: StackState) -> str:
    async with client(running, Role.PARENT, PARENT) as parent:
        return (await parent.register_child("Mia", 6, new_id(), consents=CONSENTS))["child_id"]


def _api(running: StackState, variable: str) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {token(running, Role.PARENT, PARENT)}"}
    return httpx2.AsyncClient(base_url=running.environment[variable], headers=headers)


def _refused(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response.headers["Content-Type"] == MEDIA_TYPE
    assert problem["correlation_id"] == response.headers["Correlation-Id"]
    return problem


async def test_a_body_that_is_no_json(command_api: httpx2.AsyncClient) -> None:
    response = await command_api.post(
        "/v1/children", content=b'{"name": ', headers={"Content-Type": "application/json"}
    )

    _refused(response, 400, "invalid-json")


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic bTpw"])
async def test_a_caller_nobody_knows(
    command_api: httpx2.AsyncClient, query_api: httpx2.AsyncClient, authorization: str | None
) -> None:
    for api in (command_api, query_api):
        del api.headers["Authorization"]
        headers = {} if authorization is None else {"Authorization": authorization}
        if api is command_api:
            response = await api.post("/v1/children", json={}, headers=headers)
        else:
            response = await api.get(f"/v1/children/{new_id()}", headers=headers)

        _refused(response, 401, "unauthenticated")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"age": "7"}, "age"),
        ({"age": 7.5}, "age"),
        ({"age": 2}, "age"),
        ({"name": "M\u202eia"}, "name"),
        ({"nickname": "M"}, "nickname"),
        ({"preferences": {"a": {"b": {"c": {"d": {"e": 1}}}}}}, "preferences"),
    ],
)
async def test_a_wrong_profile_field_is_named_and_nothing_changes(
    running: StackState,
    command_api: httpx2.AsyncClient,
    child: str,
    change: dict[str, object],
    field: str,
) -> None:
    response = await command_api.patch(f"/v1/children/{child}/profile", json=change)

    problem = _refused(response, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == [field]
    async with client(running, Role.PARENT, PARENT) as parent:
        profile = await parent.get_child_profile(child)
    assert (profile["age"], profile["version"]) == (6, BORN)


async def test_the_text_of_a_message_is_refused_as_an_unknown_field(running: StackState) -> None:
    bear_id, chosen = f"bear-{new_id()}", new_id()
    async with client(running, Role.PARENT, PARENT) as parent:
        child = await parent.register_child(
            "Mia", 6, new_id(), device_id=bear_id, consents=CONSENTS
        )
    child_id = child["child_id"]

    async with client(running, Role.DEVICE, bear_id) as bear:
        started = await bear.start_conversation(child_id, conversation_id=chosen)
        with pytest.raises(TeddyProblem) as refused:
            await bear.record_message(child_id, chosen, "child", 2, text="a secret")
        profile = await bear.get_child_profile(child_id)

    assert started["conversation_id"] == chosen
    assert (refused.value.status, refused.value.code) == (422, "invalid-request")
    assert [error["field"] for error in refused.value.errors] == ["text"]
    assert "a secret" not in str(refused.value.body)
    assert profile["total_messages"] == 0


async def test_a_parent_may_not_speak_for_the_bear(running: StackState, child: str) -> None:
    async with client(running, Role.PARENT, PARENT) as parent:
        with pytest.raises(TeddyProblem) as refused:
            await parent.start_conversation(child)

    assert (refused.value.status, refused.value.code) == (403, "forbidden")


async def test_a_key_that_was_used_for_something_else(
    command_api: httpx2.AsyncClient, child: str
) -> None:
    path, headers = f"/v1/children/{child}/profile", {"Idempotency-Key": new_id()}
    first = await command_api.patch(path, json={"age": 7}, headers=headers)

    again = await command_api.patch(path, json={"age": 7}, headers=headers)
    other = await command_api.patch(path, json={"age": 8}, headers=headers)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    _refused(other, 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    "question",
    [
        "/v1/children?limit=0",
        "/v1/children?cursor=forged",
        "/v1/children?age_min=three",
        "/v1/children/{child}/analytics?period_days=366",
        "/v1/children/{child}/safety-report?from=yesterday",
    ],
)
async def test_a_question_with_a_wrong_parameter(
    query_api: httpx2.AsyncClient, child: str, question: str
) -> None:
    response = await query_api.get(question.format(child=child))

    problem = _refused(response, 422, "invalid-request")
    assert problem["errors"]


async def test_a_forged_consistency_token(query_api: httpx2.AsyncClient, child: str) -> None:
    response = await query_api.get(f"/v1/children/{child}", headers={"Consistency-Token": "forged"})

    _refused(response, 422, "invalid-request")
