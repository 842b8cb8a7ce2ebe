import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from starlette.responses import StreamingResponse

from shared.auth.access import Principal, Role
from shared.http.admission import admitted, begin_stopping
from shared.http.edge import Around, install_edge
from shared.http.problems import install_problems
from shared.http.serving import Readiness
from shared.http.settings import Bounds, Exposure
from tests.fakes.audit import MemoryAuditTrail
from tests.support.waiting import until

LIMIT = 3
UNSHARED = Bounds(LIMIT, address_share=1, subject_share=1)
HALVES = Bounds(4, address_share=0.5, subject_share=0.25)
WAIT = {"wait": "yes"}


class Service:
    """Works on requests until `done`; `entered` came as far as the application. A request's subject
    stands in its header `subject`; with `wait` it waits until `waited`, as for its body."""

    def __init__(self, bounds: Bounds = UNSHARED) -> None:
        self.registry = CollectorRegistry()
        self.entered = 0
        self.done = asyncio.Event()
        self.waited = asyncio.Event()
        self.app = FastAPI()
        self.app.post("/v1/work")(self._work)
        self.app.get("/v1/stream")(self._stream)
        install_problems(self.app, {})
        readiness, new_id = Readiness({}), lambda: "fresh-id"
        trail = MemoryAuditTrail()
        install_edge(
            self.app,
            Around(trail, readiness, self.registry, bounds, Exposure(), new_id=new_id),
        )

    async def _work(self, request: Request) -> str:
        self.entered += 1
        if subject := request.headers.get("subject"):
            admitted(request).count_for(Principal(subject, Role.PARENT))
        if request.headers.get("wait"):
            with admitted(request).waiting():
                await self.waited.wait()
        await self.done.wait()
        if request.headers.get("fail"):
            raise RuntimeError("a bug")
        return "done"

    def _stream(self) -> StreamingResponse:
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        self.entered += 1
        await self.done.wait()
        yield b"data: the last\n\n"

    def client_at(self, address: str) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 1))
        return httpx2.AsyncClient(transport=transport, base_url="http://test")

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=service.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_one_too_many_is_told_so_at_once_and_when_to_come_back(
    service: Service, client: httpx2.AsyncClient
):
    # given
    accepted = [asyncio.create_task(client.post("/v1/work")) for _ in range(LIMIT)]
    await until(lambda: service.entered == LIMIT)
    # when
    refused = await client.post("/v1/work")
    # then
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["code"] == "overloaded"
    assert refused.json()["correlation_id"] == refused.headers["Correlation-Id"]
    assert service.sample("teddy_requests_in_flight") == LIMIT
    assert service.sample("teddy_requests_refused_total", reason="places") == 1
    service.done.set()
    assert {(await each).status_code for each in accepted} == {200}


async def test_the_body_of_a_refused_request_is_not_read(
    service: Service, client: httpx2.AsyncClient
):
    # given
    accepted = [asyncio.create_task(client.post("/v1/work")) for _ in range(LIMIT)]
    await until(lambda: service.entered == LIMIT)
    read = []

    async def receive() -> dict[str, object]:
        read.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    statuses = []

    async def send(message: dict[str, object]) -> None:
        statuses.append(message.get("status"))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/work",
        "query_string": b"",
        "headers": [(b"host", b"test")],
    }
    # when
    await service.app(scope, receive, send)  # type: ignore[arg-type] # plain functions will do
    # then
    assert (statuses[0], read) == (503, [])
    service.done.set()
    await asyncio.gather(*accepted)


async def test_a_place_is_free_again_when_a_request_fails(
    service: Service, client: httpx2.AsyncClient
):
    service.done.set()
    failed = await client.post("/v1/work", headers={"fail": "yes"})
    assert failed.status_code == 500
    assert service.sample("teddy_requests_in_flight") == 0


async def test_when_it_is_full_operators_are_heard_and_a_stream_is_refused_like_all_others(
    service: Service, client: httpx2.AsyncClient
):
    accepted = [asyncio.create_task(client.post("/v1/work")) for _ in range(LIMIT)]
    await until(lambda: service.entered == LIMIT)
    assert (await client.get("/health/live")).status_code == 200
    assert "teddy_requests_in_flight 3.0" in (await client.get("/metrics")).text
    refused = await client.get("/v1/stream")
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    service.done.set()
    await asyncio.gather(*accepted)


async def test_an_open_stream_has_no_place(service: Service, client: httpx2.AsyncClient):
    # given
    streams = [asyncio.create_task(client.get("/v1/stream")) for _ in range(LIMIT)]
    await until(lambda: service.entered == LIMIT)
    assert service.sample("teddy_requests_in_flight") == 0
    # when
    one_more = asyncio.create_task(client.get("/v1/stream"))
    # then
    await until(lambda: service.entered == LIMIT + 1)
    service.done.set()
    assert {(await each).status_code for each in (*streams, one_more)} == {200}
    assert service.sample("teddy_requests_in_flight") == 0


async def test_a_stopping_application_finishes_what_it_has_and_takes_no_more(
    service: Service, client: httpx2.AsyncClient
):
    # given
    accepted = asyncio.create_task(client.post("/v1/work"))
    await until(lambda: service.entered == 1)
    # when
    begin_stopping(service.app)
    refused = await client.post("/v1/work")
    ready = await client.get("/health/ready")
    # then
    assert (refused.status_code, refused.json()["code"]) == (503, "shutting-down")
    assert (ready.status_code, ready.json()) == (503, {"status": "stopping"})
    service.done.set()
    assert (await accepted).status_code == 200


async def test_one_address_has_its_share_of_the_places_and_no_more():
    # given
    service = Service(HALVES)
    async with service.client_at("10.0.0.1") as many, service.client_at("10.0.0.2") as other:
        accepted = [asyncio.create_task(many.post("/v1/work")) for _ in range(2)]
        await until(lambda: service.entered == 2)
        # when
        refused = await many.post("/v1/work")
        accepted.append(asyncio.create_task(other.post("/v1/work")))
        # then
        await until(lambda: service.entered == 3)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        assert service.sample("teddy_requests_refused_total", reason="address") == 1
        service.done.set()
        assert {(await each).status_code for each in accepted} == {200}


async def test_addresses_of_one_ipv6_network_share_one_share():
    # given
    service = Service(HALVES)
    async with service.client_at("2001:db8::1") as one, service.client_at("2001:db8::2") as two:
        accepted = [asyncio.create_task(one.post("/v1/work")) for _ in range(2)]
        await until(lambda: service.entered == 2)
        # when
        refused = await two.post("/v1/work")
        # then
        assert refused.status_code == 503
        service.done.set()
        await asyncio.gather(*accepted)


async def test_one_subject_has_its_share_wherever_it_comes_from():
    # given
    service = Service(HALVES)
    async with service.client_at("10.0.0.1") as one, service.client_at("10.0.0.2") as two:
        first = asyncio.create_task(one.post("/v1/work", headers={"subject": "weiss"}))
        await until(lambda: service.entered == 1)
        # when
        refused = await two.post("/v1/work", headers={"subject": "weiss"})
        other = asyncio.create_task(two.post("/v1/work", headers={"subject": "braun"}))
        # then
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
        assert refused.headers["Retry-After"] == "1"
        assert service.sample("teddy_requests_refused_total", reason="subject") == 1
        service.done.set()
        assert [(await each).status_code for each in (first, other)] == [200, 200]


async def test_a_request_that_waits_has_no_place_and_still_counts_for_its_address():
    # given
    service = Service(HALVES)
    async with service.client_at("10.0.0.1") as slow, service.client_at("10.0.0.2") as other:
        waiting = [asyncio.create_task(slow.post("/v1/work", headers=WAIT)) for _ in range(2)]
        await until(lambda: service.sample("teddy_requests_waiting") == 2)
        # then
        assert service.sample("teddy_requests_in_flight") == 0
        assert (await slow.post("/v1/work")).status_code == 503
        # when
        accepted = asyncio.create_task(other.post("/v1/work"))
        await until(lambda: service.sample("teddy_requests_in_flight") == 1)
        service.waited.set()
        # then
        await until(lambda: service.sample("teddy_requests_in_flight") == 3)
        service.done.set()
        assert {(await each).status_code for each in (*waiting, accepted)} == {200}


async def test_who_has_waited_and_finds_no_place_is_told_to_come_back(
    service: Service, client: httpx2.AsyncClient
):
    # given
    waiting = asyncio.create_task(client.post("/v1/work", headers=WAIT))
    await until(lambda: service.sample("teddy_requests_waiting") == 1)
    accepted = [asyncio.create_task(client.post("/v1/work")) for _ in range(LIMIT)]
    await until(lambda: service.sample("teddy_requests_in_flight") == LIMIT)
    # when
    service.waited.set()
    refused = await waiting
    # then
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert service.sample("teddy_requests_in_flight") == LIMIT
    service.done.set()
    assert {(await each).status_code for each in accepted} == {200}
    assert service.sample("teddy_requests_in_flight") == 0
