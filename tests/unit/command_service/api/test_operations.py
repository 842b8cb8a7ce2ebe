"""Introspection, failures, limits, documentation, the table of problems, and the audit trail."""

from typing import Any, get_args

import pytest

from command_service.api.errors import REFUSALS, problem_of
from command_service.bus.errors import (
    ChildBusy,
    ChildLoading,
    ConcurrentUpdate,
    Forbidden,
    KeyUnavailable,
)
from command_service.child.commands import ChildCommand
from command_service.child.errors import CommandRefused, ConsentRequired, FieldError, InvalidCommand
from shared.audit.record import AuditRecord, line_of
from shared.events.child import ConsentPurpose
from tests.support.child_facts import ADA
from tests.support.command_side import ANALYST, MOTHER, CommandClient, CommandSide, Database
from tests.support.consents import CONSENTS
from tests.support.flaky_stores import FlakyEventStore
from tests.support.problem_documents import assert_problem

GOOD: dict[str, Any] = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "consents": CONSENTS}


async def test_an_admin_sees_what_the_bus_is_made_of(admin: CommandClient):
    answer = (await admin.send("GET", "/commands")).json()
    assert {"command": "EraseChild", "handler": "EraseChildHandler"} in answer["handlers"]
    assert answer["middleware"][:3] == ["Logging", "Metrics", "Audit"]
    assert answer["health"] == {"status": "up", "handlers": len(get_args(ChildCommand))}


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


ARGUMENTS = {
    InvalidCommand: ([FieldError("age", "must be between 3 and 12", "3..12")],),
    Forbidden: ("the role analyst may not send EraseChild",),
    ConsentRequired: (ConsentPurpose.CONVERSATIONS,),
}


def test_every_refusal_is_in_the_table_with_a_code_of_its_own_and_becomes_such_a_problem():
    refusals = CommandRefused.__subclasses__()
    assert set(refusals) == set(REFUSALS)
    assert len({refusal.code for refusal in refusals}) == len(refusals)
    for kind, (status, title) in REFUSALS.items():
        problem = problem_of(kind(*ARGUMENTS.get(kind, ())))
        assert (problem.status, problem.code, problem.title) == (status, kind.code, title)
        assert problem.detail.endswith(".")


def test_only_what_the_same_request_may_get_past_says_when_to_come_again():
    says = {
        kind
        for kind in REFUSALS
        if "Retry-After" in problem_of(kind(*ARGUMENTS.get(kind, ()))).headers
    }
    assert says == {ConcurrentUpdate, ChildBusy, ChildLoading, KeyUnavailable}


def reported(side: CommandSide) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(e.subject, e.operation, e.outcome, e.children) for e in side.audit.entries]


async def test_a_command_over_http_is_recorded_once_with_the_clients_address():
    # given
    side = CommandSide()
    # when
    async with side.client(MOTHER) as mother:
        child_id = await mother.register()
    # then
    assert reported(side) == [("parent-ada", "RegisterChild", "accepted", (child_id,))]
    (entry,) = side.audit.entries
    assert entry.address == "127.0.0.1"
    assert entry.correlation_id


async def test_what_is_refused_before_the_bus_is_recorded_too():
    # given
    side = CommandSide()
    # when
    async with side.client(MOTHER) as mother:
        await mother.send("POST", "/children", {"name": 7})
        await mother.send("POST", "/children", raw=b"{")
        await mother.send("GET", "/nowhere")
        await mother.send("GET", "/nowhere", headers={"Authorization": "ignored"})
    # then
    assert [entry[1:3] for entry in reported(side)] == [
        ("RegisterChild", "invalid-request"),
        ("RegisterChild", "invalid-json"),
        ("UnknownRoute", "not-found"),
        ("UnknownRoute", "not-found"),
    ]


async def test_a_forged_token_is_recorded_without_a_subject_and_no_token_not_at_all():
    side = CommandSide()
    async with side.client(None) as stranger:
        forged = {"Authorization": "Bearer forged"}
        await stranger.send("DELETE", f"/children/{ADA}/personal-data", headers=forged)
        await stranger.send("DELETE", f"/children/{ADA}/personal-data")
    assert reported(side) == [("", "EraseChild", "unauthenticated", (ADA,))]


async def test_a_refusal_by_role_is_recorded_by_the_bus_alone():
    side = CommandSide()
    async with side.client(ANALYST) as analyst:
        await analyst.send("DELETE", f"/children/{ADA}/personal-data")
    assert reported(side) == [("analyst-1", "EraseChild", "forbidden", (ADA,))]


async def test_what_a_path_holds_is_never_recorded():
    side = CommandSide()
    async with side.client(MOTHER) as mother:
        await mother.send("DELETE", "/children/Wilhelmina/personal-data")
        await mother.send("GET", "/children/Wilhelmina/secret")
    assert not any("Wilhelmina" in line(entry) for entry in side.audit.entries)


async def test_while_the_trail_is_full_commands_and_refusals_get_503():
    # given
    side = CommandSide()
    side.audit.away = True
    # when
    async with side.client(MOTHER) as mother:
        command = await mother.send(
            "POST",
            "/children",
            {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0001", "consents": CONSENTS},
        )
        refusal = await mother.send("POST", "/children", {"name": 7})
    # then
    for answer in (command, refusal):
        assert (answer.status_code, answer.json()["code"]) == (503, "audit-unavailable")
        assert answer.headers["Retry-After"] == "1"
    assert await side.stored_events() == []


def line(entry: AuditRecord) -> str:
    return line_of(entry.content(1))
