"""Introspection, failures, limits and the documentation."""

from typing import Any, get_args

import pytest

from command_service.child.commands import ChildCommand
from tests.support.command_side import ANALYST, CommandClient, CommandSide, Database
from tests.support.consents import CONSENTS
from tests.support.flaky_stores import FlakyEventStore
from tests.support.problem_documents import assert_problem

GOOD: dict[str, Any] = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "consents": CONSENTS}


async def test_an_admin_sees_what_the_bus_is_made_of(admin: CommandClient):
    answer = (await admin.send("GET", "/commands")).json()
    assert {"command": "EraseChild", "handler": "EraseChildHandler"} in answer["handlers"]
    assert answer["middleware"][:3] == ["Logging", "Metrics", "Audit"]
    assert answer["health"] == {"status": "up", "handlers": len(get_args(ChildCommand))}


async def test_nobody_else_looks_into_the_bus(side: CommandSide, mother: CommandClient):
    assert_problem(await mother.send("GET", "/commands"), 403, "forbidden")
    async with side.client(ANALYST) as analyst:
        assert_problem(await analyst.send("GET", "/commands"), 403, "forbidden")
    async with side.client(None) as nobody:
        assert_problem(await nobody.send("GET", "/commands"), 401, "unauthenticated")


async def test_a_store_that_is_away_is_reported_with_when_to_come_back():
    # given
    store = FlakyEventStore(failing_appends=99)
    side = CommandSide(Database(events=store))
    async with side.client() as mother:
        # when
        response = await mother.send("POST", "/children", GOOD, key="register-ada-1")
        # then
        assert_problem(response, 503, "store-unavailable")
        assert response.headers["Retry-After"] == "1"
        store.failing_appends = 0
        again = await mother.send("POST", "/children", GOOD, key="register-ada-1")
        assert again.status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "not-found"), ("GET", "/children", 405, "method-not-allowed")],
)
async def test_what_is_not_there_is_a_problem_too(
    mother: CommandClient, method: str, path: str, status: int, code: str
):
    assert_problem(await mother.send(method, path), status, code)


async def test_operators_need_no_token(side: CommandSide):
    async with side.client(None) as nobody:
        for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs"):
            assert (await nobody.http.get(path)).status_code == 200


async def test_every_route_is_documented(side: CommandSide):
    # given
    async with side.client(None) as nobody:
        document = (await nobody.http.get("/openapi.json")).json()
    # then
    operations = [
        operation
        for path, methods in document["paths"].items()
        if path.startswith("/v1/children")
        for operation in methods.values()
    ]
    assert len(operations) == len(get_args(ChildCommand))
    for operation in operations:
        assert operation["security"] == [{"bearer": []}]
        assert "Idempotency-Key" in [each["name"] for each in operation["parameters"]]
        assert {"401", "403", "422", "503"} <= set(operation["responses"])
        problem = operation["responses"]["422"]["content"]["application/problem+json"]
        assert problem["schema"] == {"$ref": "#/components/schemas/ProblemBody"}
    registration = document["components"]["schemas"]["Registration"]
    age = registration["properties"]["age"]
    assert (age["minimum"], age["maximum"], age["examples"]) == (3, 12, [7])


async def test_where_a_request_may_be_sent_again_the_documentation_says_when(side: CommandSide):
    # given
    async with side.client(None) as nobody:
        document = (await nobody.http.get("/openapi.json")).json()
    # then
    for path, methods in document["paths"].items():
        for operation in methods.values() if path.startswith("/v1/children") else ():
            says = {
                status
                for status, response in operation["responses"].items()
                if "Retry-After" in response.get("headers", {})
            }
            assert says == {"409", "429", "503"} & set(operation["responses"])


async def test_every_reference_in_the_documentation_leads_somewhere(side: CommandSide):
    async with side.client(None) as nobody:
        document = (await nobody.http.get("/openapi.json")).json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in references(value)]
    if isinstance(node, list):
        return [each for value in node for each in references(value)]
    return []
