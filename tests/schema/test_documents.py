"""Both OpenAPI documents against what the APIs do: every operation, generated requests, good and
bad, as every role that may meet it. All of Schemathesis's checks; none may fail, and none answers
500."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from starlette.testclient import TestClient

from shared.auth.principal import Principal, Role
from shared.clock import new_id
from tests.support import command_side, query_side
from tests.support.command_side import CommandSide
from tests.support.consents import CONSENTS
from tests.support.query_side import QuerySide

Case = schemathesis.Case[Any]

CONFIG: dict[str, Any] = {
    "seed": 20261123,
    "checks": {
        # 304 to who has the answer; 422 by what no schema states, see `_refused_for_a_reason`
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "304", "401", "403", "404", "409", "422"]
        },
        # the library knows 400, 401, 403, 404, 422; the edge refuses by kind, too
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "414", "415", "422"]
        },
    },
}
BOUNDED = settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
UNSTATED = (
    "must not contain",  # characters that nobody sees
    "must have",  # a length, after trimming
    "must hold integers of 64 bits only",
    "must be an integer",  # 7.0 is one to a schema
    "must lie between 2000-01-01 and",  # a schema has no bounds of dates
    "must be later than `from`",
    "must name each purpose once",
    "must not be below age_min",
)
"""How the rules begin that an OpenAPI document cannot state: all for which 422 is an answer to a
request that fits it."""

FOLLOWED_FOR_EVER = ".*/stream$"

COMMANDS = CommandSide()
QUERIES = QuerySide()
CHILD, PARENT = "lena", "weiss"
asyncio.run(QUERIES.child(CHILD, parent_id=PARENT))


def _document(app: Any) -> Any:
    config = SchemathesisConfig.from_dict(CONFIG)
    document = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    return document.exclude(path_regex=FOLLOWED_FOR_EVER)


COMMAND_DOCUMENT = _document(COMMANDS.app)
QUERY_DOCUMENT = _document(QUERIES.app)


@COMMAND_DOCUMENT.parametrize()
@BOUNDED
def test_the_command_api_does_as_its_document_says(case):
    bear = Principal(new_id(), Role.DEVICE)
    callers = (command_side.ADMIN, command_side.MOTHER, bear)
    if _is_good(case):
        case.headers["Idempotency-Key"] = new_id()
        if "child_id" in case.path_parameters:
            case.path_parameters["child_id"] = _new_child(bear)
    for principal in callers:
        answer = case.call_and_validate(headers={"Authorization": COMMANDS.bearer(principal)})
        assert not _is_good(case) or _refused_for_a_reason(answer)


@QUERY_DOCUMENT.parametrize()
@BOUNDED
def test_the_query_api_does_as_its_document_says(case):
    callers = (query_side.ADMIN, query_side.OFFICER, query_side.ANALYST, query_side.parent(PARENT))
    if _is_good(case):
        known = {"child_id": CHILD, "parent_id": PARENT}
        case.path_parameters |= {k: known[k] for k in case.path_parameters if k in known}
        case.headers.pop("Consistency-Token", None)  # signed: no generator can make one
        case.query.pop("cursor", None)
    for principal in callers:
        answer = case.call_and_validate(headers=QUERIES.bearer(principal))
        assert not _is_good(case) or _refused_for_a_reason(answer)


def _is_good(case: Case) -> bool:
    return bool(case.meta and case.meta.generation.mode.is_positive)


def _refused_for_a_reason(answer: Any) -> bool:
    """Whether a 422 is by rules that the document cannot state; other answers are judged by it."""
    if answer.status_code != 422:
        return True
    return all(error["message"].startswith(UNSTATED) for error in answer.json()["errors"])


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
