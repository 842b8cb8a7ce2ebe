"""What the edge counts of the requests of an API, and as what."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.responses import StreamingResponse

from shared.auth.access import Principal
from shared.http.admission import begin_stopping
from shared.http.edge import Around, install_edge
from shared.http.recent_requests import recent_requests_of
from shared.http.request_figures import RefusedRequest, RequestFigures
from shared.http.serving import Readiness
from shared.http.settings import Bounds, Exposure
from tests.fakes.audit import MemoryAuditTrail
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.waiting import until

LENA = "/v1/children/lena"


@pytest.fixture
async def side() -> QuerySide:
    side = QuerySide(bounds=Bounds(requests=1, address_share=1, subject_share=1))
    await side.child("lena", parent_id="weiss")
    return side


def counted(side: QuerySide) -> RequestFigures:
    return recent_requests_of(side.app).figures()


def refusal(side: QuerySide) -> tuple[str | None, int, str, str | None]:
    """The only one: operation, status, code and role."""
    figures = counted(side)
    assert (figures.requests, figures.refused) == (1, 1)
    (one,) = figures.refusals
    assert isinstance(one, RefusedRequest)
    return one.operation, one.status, one.code, one.role


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_answer_is_counted_under_its_operation(side: QuerySide, method: str):
    # when
    async with side.client(parent("weiss")) as client:
        first = await client.request(method, LENA)
        second = await client.request(method, LENA, headers={"If-None-Match": "*"})
    # then
    assert (first.status_code, second.status_code) == (200, 304)
    figures = counted(side)
    assert (figures.requests, figures.refused, figures.refusals) == (2, 0, [])
    assert [one.operation for one in figures.slowest] == ["GetChildProfile"]
    assert figures.p50_milliseconds is not None


@pytest.mark.parametrize(
    ("path", "principal", "refused"),
    [
        (LENA, None, ("GetChildProfile", 401, "unauthenticated", None)),
        (LENA, parent("braun"), ("GetChildProfile", 404, "child-not-found", "parent")),
        ("/v1/cache", parent("weiss"), ("GetCacheStatistics", 403, "forbidden", "parent")),
        (f"{LENA}?a=1", ADMIN, ("GetChildProfile", 422, "invalid-request", None)),
        ("/v1/children/no_id", ADMIN, ("GetChildProfile", 422, "invalid-request", "admin")),
        ("/v1/lena@example.com", ADMIN, (None, 404, "not-found", None)),
        ("/v1/children/a%2Fb", ADMIN, (None, 400, "malformed-request", None)),
    ],
)
async def test_a_refusal_is_counted_with_its_code_and_its_caller(
    side: QuerySide, path: str, principal: Principal | None, refused: Any
):
    await side.get(path, principal)
    assert refusal(side) == refused


async def test_nothing_that_came_with_a_request_is_kept(side: QuerySide):
    await side.get("/v1/secret-path/leni@example.com?name=Leni", parent("weiss-secret"))
    await side.get("/v1/children/leni-secret", parent("weiss-secret"))
    assert counted(side).refused == 2
    kept = repr(counted(side)).lower()
    assert "secret" not in kept
    assert "leni" not in kept


async def test_what_found_no_room_is_counted_though_nobody_looked_at_it(side: QuerySide):
    # given
    side.store.hold()
    async with side.client(parent("weiss")) as client:
        waits = asyncio.create_task(client.get(LENA))
        await until(lambda: side.store.reads == 1)
        # when
        answer = await client.get(LENA)
        # then
        assert answer.json()["code"] == "overloaded"
        assert refusal(side) == (None, 503, "overloaded", None)
        side.store.let_go()
        assert (await waits).status_code == 200
    assert counted(side).requests == 2


async def test_while_a_process_stops_its_refusals_are_counted(side: QuerySide):
    begin_stopping(side.app)
    await side.get(LENA, parent("weiss"))
    assert refusal(side) == (None, 503, "shutting-down", None)


async def test_what_cannot_be_recorded_is_counted_once_as_it_was_answered(side: QuerySide):
    side.audit.away = True
    answer = await side.get(LENA, parent("weiss"))
    assert answer.status_code == 503
    assert refusal(side) == ("GetChildProfile", 503, "audit-unavailable", "parent")


async def test_a_failure_is_counted_as_one(side: QuerySide, monkeypatch: pytest.MonkeyPatch):
    # given
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(side.store, "child", broken)
    # when
    transport = httpx2.ASGITransport(side.app, raise_app_exceptions=False)
    headers = side.bearer(parent("weiss"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://query") as client:
        answer = await client.get(LENA, headers=headers)
    # then
    assert answer.status_code == 500
    assert refusal(side) == ("GetChildProfile", 500, "failed", "parent")


async def _breaks() -> AsyncIterator[bytes]:
    yield b"the beginning"
    raise RuntimeError("a bug")


async def test_what_breaks_after_its_head_was_sent_is_counted_once_as_answered():
    # given
    app = FastAPI()

    @app.get("/v1/story")
    def get_story() -> StreamingResponse:
        return StreamingResponse(_breaks())

    bounds, registry = Bounds(), CollectorRegistry()
    install_edge(app, Around(MemoryAuditTrail(), Readiness({}), registry, bounds, Exposure()))
    # when
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://query") as client:
        with pytest.raises(RuntimeError, match="a bug"):
            await client.get("/v1/story")
    # then
    figures = recent_requests_of(app).figures()
    assert (figures.requests, figures.refused) == (1, 0)
    assert [(one.operation, one.status) for one in figures.slowest] == [("GetStory", 200)]


async def test_what_is_no_part_of_the_api_is_not_counted(side: QuerySide):
    for path in ("/health/live", "/metrics", "/openapi.json", "/nothing", "/health/live?%"):
        await side.get(path)
    assert counted(side).requests == 0
