from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from shared.http.edge import NOTHING_SHOWN, install_hardening
from shared.http.problems import (
    FieldProblem,
    Problem,
    ProblemRaised,
    install_problems,
    problem_responses,
)


class Taken(Exception):
    pass


class TakenByAnother(Taken):
    pass


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    age: Annotated[int, Field(strict=True, ge=3, le=12)]


FAILURES: dict[str, Exception] = {
    "taken": Taken(),
    "taken-by-another": TakenByAnother(),
    "raised": ProblemRaised(Problem(418, "teapot", "A teapot", "Short and stout.")),
    "framework": HTTPException(404),
    "bug": RuntimeError("name was Zoë"),
}


def _an_app() -> FastAPI:
    app = FastAPI()
    install_hardening(app, NOTHING_SHOWN, lambda: "fresh-id")

    @app.post("/children", responses=problem_responses(422))
    async def register(body: Body) -> None:
        return None

    @app.get("/failures/{name}")
    async def fail(name: str) -> None:
        raise FAILURES[name]

    taken = Problem(
        409,
        "taken",
        "Taken",
        "It is taken.",
        [FieldProblem("udid", "already used", "one bear, one child")],
        {"Retry-After": "1"},
    )
    install_problems(app, {Taken: lambda error: taken})
    return app


async def _ask(method: str, path: str, **options: Any) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=_an_app(), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **options)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/failures/taken", 409, "taken"),
        ("/failures/taken-by-another", 409, "taken"),
        ("/failures/raised", 418, "teapot"),
        ("/failures/framework", 404, "not-found"),
        ("/failures/bug", 500, "internal-error"),
        ("/nowhere", 404, "not-found"),
        ("/children", 405, "method-not-allowed"),
    ],
)
async def test_every_error_is_a_problem_document(path: str, status: int, code: str) -> None:
    # when
    answer = await _ask("GET", path)
    # then
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"urn:teddy:problem:{code}"
    assert (body["status"], body["code"]) == (status, code)
    assert body["instance"] == path
    assert body["correlation_id"] == "fresh-id"
    assert body["title"]
    assert body["detail"]


async def test_a_problem_carries_its_fields_and_headers() -> None:
    answer = await _ask("GET", "/failures/taken")
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["errors"] == [
        {"field": "udid", "message": "already used", "limit": "one bear, one child"}
    ]


async def test_an_internal_error_tells_nothing() -> None:
    assert "Zoë" not in (await _ask("GET", "/failures/bug")).text


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, {"field": "age", "message": "required"}),
        ({"age": 7, "name": "Zoë"}, {"field": "name", "message": "unknown field"}),
        ({"age": "7"}, {"field": "age", "message": "must be an integer", "limit": "integer"}),
        ({"age": 2}, {"field": "age", "message": "must be at least 3", "limit": "at least 3"}),
        ({"age": 13}, {"field": "age", "message": "must be at most 12", "limit": "at most 12"}),
    ],
    ids=str,
)
async def test_a_refused_field_is_named_with_its_limit_and_not_its_value(
    body: dict[str, Any], error: dict[str, str]
) -> None:
    answer = await _ask("POST", "/children", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid-request"
    assert answer.json()["errors"] == [error]
    assert "Zoë" not in answer.text


async def test_a_body_that_is_not_json_says_where() -> None:
    answer = await _ask(
        "POST", "/children", content=b'{"age": 7', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid-json"
    assert answer.json()["errors"] == [{"field": "body", "message": "not valid JSON at byte 9"}]


async def test_problems_are_documented() -> None:
    described = (await _ask("GET", "/openapi.json")).json()
    responses = described["paths"]["/children"]["post"]["responses"]
    assert "application/problem+json" in responses["422"]["content"]
