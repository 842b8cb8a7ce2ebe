from typing import Annotated, Any

import httpx2
import pytest
from fakeredis import FakeAsyncRedis
from fastapi import FastAPI, HTTPException
from limits import parse
from pydantic import BaseModel, ConfigDict, Field

from shared.auth.access import Principal, RateClass, Role
from shared.http.edge import install_hardening
from shared.http.limits import (
    AWAY_SECONDS,
    Counters,
    CountersWithFallback,
    MemoryCounters,
    RateLimits,
    redis_counters,
)
from shared.http.problems import (
    FieldProblem,
    Problem,
    ProblemRaised,
    install_problems,
    problem_responses,
)
from shared.http.settings import Exposure
from tests.support.ports import free_port
from tests.support.problem_documents import assert_problem
from tests.support.rate_limits import Moments


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
    install_hardening(app, Exposure(), lambda: "fresh-id")

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
async def test_every_error_is_a_problem_document(path: str, status: int, code: str):
    problem = assert_problem(await _ask("GET", path), status, code)
    assert problem["correlation_id"] == "fresh-id"


async def test_a_problem_carries_its_fields_and_headers():
    answer = await _ask("GET", "/failures/taken")
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["errors"] == [
        {"field": "udid", "message": "already used", "limit": "one bear, one child"}
    ]


async def test_an_internal_error_tells_nothing():
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
):
    answer = await _ask("POST", "/children", json=body)
    assert_problem(answer, 422, "invalid-request")
    assert answer.json()["errors"] == [error]
    assert "Zoë" not in answer.text


async def test_a_body_that_is_not_json_says_where():
    answer = await _ask(
        "POST", "/children", content=b'{"age": 7', headers={"Content-Type": "application/json"}
    )
    assert_problem(answer, 400, "invalid-json")
    assert answer.json()["errors"] == [{"field": "body", "message": "not valid JSON at byte 9"}]


async def test_problems_are_documented():
    described = (await _ask("GET", "/openapi.json")).json()
    responses = described["paths"]["/children"]["post"]["responses"]
    assert "application/problem+json" in responses["422"]["content"]


@pytest.fixture(params=["memory", "redis"])
def counters(request: pytest.FixtureRequest) -> Counters:
    """In Redis: the library's storage and its script, over a server that is played in memory."""
    if request.param == "memory":
        return MemoryCounters(Moments())
    played = FakeAsyncRedis()
    return redis_counters("redis://played:6379", connection_pool=played.connection_pool)


async def test_every_key_has_its_own_count(counters: Counters):
    counts = [await counters.incr("a", 60) for _ in range(3)]
    assert counts == [1, 2, 3]
    assert await counters.incr("b", 60) == 1
    assert await counters.incr("a", 60, amount=5) == 8


async def test_in_memory_a_count_ends_with_its_life_and_only_so_many_are_kept():
    moments = Moments()
    counters = MemoryCounters(moments)
    await counters.incr("a", 60)
    moments.now = 60
    assert await counters.incr("a", 60) == 1
    counters = MemoryCounters(Moments(), most=2)
    for key in ("a", "b", "a", "c"):
        await counters.incr(key, 60)
    # when / then the one that was not used for the longest is gone
    assert await counters.incr("a", 60) == 3
    assert await counters.incr("b", 60) == 1


class Away:
    """A storage that is away until it is `back`; counts who tries it."""

    def __init__(self) -> None:
        self.tried = 0
        self.back = False

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self.tried += 1
        if not self.back:
            raise ConnectionError
        return 100


async def test_while_the_shared_storage_is_away_each_process_counts_for_itself():
    # given
    moments, shared = Moments(), Away()
    counters = CountersWithFallback(shared, MemoryCounters(moments), moments)
    # when
    assert [await counters.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    # then it is left alone for a while, and said to be away
    assert shared.tried == 1
    with pytest.raises(ConnectionError, match="has not answered recently"):
        await counters.check()
    # when it is back
    shared.back = True
    moments.now += AWAY_SECONDS
    # then
    assert await counters.incr("a", 60) == 100
    await counters.check()


async def test_a_redis_that_is_not_there_is_no_error():
    moments = Moments()
    nobody = redis_counters(f"redis://127.0.0.1:{free_port()}/0")
    counters = CountersWithFallback(nobody, MemoryCounters(moments), moments)
    assert [await counters.incr("a", 60) for _ in range(2)] == [1, 2]


BEAR, PARENT = Principal("bear-device-1", Role.DEVICE), Principal("parent-1", Role.PARENT)


class Storage:
    """What was counted, in which order, and how long each counter lives."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.lives: set[int] = set()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self.keys.append(key)
        self.lives.add(expiry)
        return self.keys.count(key)


def _limits(storage: Storage, moments: Moments, secret: bytes = b"secret") -> RateLimits:
    policies: dict[RateClass, Any] = {rate: parse("2/minute") for rate in RateClass}
    return RateLimits(policies, storage, moments, secret)


async def test_a_subject_is_counted_by_all_processes_and_named_to_none():
    # given
    storage, moments = Storage(), Moments()
    here, there = _limits(storage, moments), _limits(storage, moments)
    # when
    standings = [await each.spend(BEAR, RateClass.COMMANDS) for each in (here, there, here)]
    # then
    assert [standing.remaining for standing in standings] == [1, 0, -1]
    assert len(set(storage.keys)) == 1
    assert BEAR.subject not in storage.keys[0]
    assert storage.lives == {60}


async def test_no_two_windows_classes_or_subjects_have_the_same_counter():
    # given
    storage, moments = Storage(), Moments()
    limits = _limits(storage, moments)
    # when
    await limits.spend(BEAR, RateClass.COMMANDS)
    await limits.spend(BEAR, RateClass.QUERIES)
    await limits.spend(PARENT, RateClass.COMMANDS)
    await _limits(storage, moments, b"another").spend(BEAR, RateClass.COMMANDS)
    moments.now = 60
    await limits.spend(BEAR, RateClass.COMMANDS)
    # then
    assert len(set(storage.keys)) == 5
