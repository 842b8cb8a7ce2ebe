"""Streams over a real connection, as the in-process transport waits for the end; and overload."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from query_service.api.streams import MOST_OPEN
from shared.clock import unix_seconds
from shared.http.settings import Bounds
from shared.read_models.notices import AlertNotice, ChangeNotice
from tests.support.query_side import OFFICER, QuerySide, parent
from tests.support.read_model_builders import alert_document
from tests.support.running_query_api import RunningServer
from tests.support.waiting import until


@pytest.fixture
async def server(side: QuerySide) -> AsyncIterator[RunningServer]:
    server = RunningServer(side)
    yield server
    await server.stop()


@asynccontextmanager
async def reading(url: str, headers: dict[str, str]) -> AsyncIterator[AsyncIterator[str]]:
    """The stream's events, once it is open."""
    async with (
        httpx2.AsyncClient(base_url=url, headers=headers) as client,
        client.stream("GET", "/v1/parents/weiss/stream") as response,
    ):
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        yield (line async for line in lines if line)


async def test_a_dashboard_gets_its_own_alerts_and_changes_live(
    side: QuerySide, server: RunningServer
):
    # given
    async with reading(await server.url(), side.bearer(parent("weiss"))) as lines:
        # when something happens in two families
        for parent_id in ("braun", "weiss"):
            alert = AlertNotice.of(alert_document(f"a-{parent_id}", parent_id=parent_id))
            for notice in (ChangeNotice(f"lena-{parent_id}", parent_id, 2), alert):
                side.service.edge.streams.received(notice)
        received = [await anext(lines) for _ in range(5)]
    # then
    assert received[:2] == ["event: change", 'data: {"child_id":"lena-weiss","version":2}']
    assert received[2:4] == ["event: alert", "id: a-weiss"]
    assert "braun" not in "".join(received)


async def test_open_streams_do_not_keep_the_process_from_stopping(
    side: QuerySide, server: RunningServer
):
    async with reading(await server.url(), side.bearer(OFFICER)) as lines:
        await server.stop()
        assert [line async for line in lines] == []


async def test_a_reader_that_hangs_up_is_forgotten(side: QuerySide, server: RunningServer):
    async with reading(await server.url(), side.bearer(parent("weiss"))):
        assert side.open_streams == 1
    await until(lambda: side.open_streams == 0)


async def test_open_streams_leave_queries_their_places():
    # given as many dashboards as the process has places
    side = QuerySide(bounds=Bounds(requests=1))
    await side.child("lena", parent_id="weiss")
    server = RunningServer(side)
    url, bearer = await server.url(), side.bearer(parent("weiss"))
    async with reading(url, bearer), httpx2.AsyncClient(base_url=url, headers=bearer) as client:
        # when
        answer = await client.get("/v1/children/lena")
        # then
        assert answer.status_code == 200
    await server.stop()


async def test_of_many_streams_opened_at_once_only_so_many_open(
    side: QuerySide, server: RunningServer
):
    # given
    url, bearer = await server.url(), side.bearer(parent("weiss"))
    limits = httpx2.Limits(max_connections=None)
    # with time for fifty connections at once, also on a busy machine
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer, limits=limits, timeout=30
    ) as client:
        # when
        asked = [client.build_request("GET", "/v1/parents/weiss/stream") for _ in range(50)]
        answers = await asyncio.gather(*(client.send(one, stream=True) for one in asked))
        # then
        statuses = Counter(one.status_code for one in answers)
        assert statuses == {200: MOST_OPEN, 429: 50 - MOST_OPEN}
        for one in answers:
            await one.aclose()
    # and when they have gone there is room again
    await until(lambda: side.open_streams == 0)
    async with reading(url, bearer):
        assert side.open_streams == 1


async def test_a_live_stream_ends_with_its_token(side: QuerySide, server: RunningServer):
    # given a token that is good for a second yet
    expires = int(unix_seconds()) + 2
    bearer = {"Authorization": f"Bearer {side.forger.token(exp=expires)}"}
    async with reading(await server.url(), bearer) as lines:
        assert [line async for line in lines if line != ": heartbeat"] == []
    assert unix_seconds() >= expires


WEISS, BRAUN = parent("weiss"), parent("braun")
PLACES = 2


def in_flight(side: QuerySide) -> float | None:
    return side.service.registry.get_sample_value("teddy_requests_in_flight")


def waiting_queries(side: QuerySide) -> float | None:
    return side.service.registry.get_sample_value("teddy_queries_waiting")


def full_side() -> QuerySide:
    return QuerySide(bounds=Bounds(PLACES, address_share=1, subject_share=1))


async def test_one_query_too_many_is_told_to_come_back_and_the_others_are_answered():
    # given queries that the store takes its time for
    side = full_side()
    await side.child("lena", parent_id="weiss", version=3)
    side.store.hold()
    async with side.client(WEISS) as client:
        slow = [asyncio.create_task(client.get("/v1/children/lena")) for _ in range(PLACES)]
        await until(lambda: in_flight(side) == PLACES)
        # when
        refused = await client.get("/v1/children/lena")
        side.store.let_go()
        answers = [await each for each in slow]
        afterwards = await client.get("/v1/children/lena")
    # then
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    assert [answer.status_code for answer in answers] == [httpx2.codes.OK] * PLACES
    assert afterwards.status_code == httpx2.codes.OK
    assert in_flight(side) == 0


async def test_a_refused_query_is_not_asked_and_leaves_no_trace_in_the_audit_trail():
    # given
    side = full_side()
    await side.child("lena", parent_id="weiss", version=3)
    side.store.hold()
    async with side.client(WEISS) as client:
        slow = [asyncio.create_task(client.get("/v1/children/lena")) for _ in range(PLACES)]
        await until(lambda: in_flight(side) == PLACES)
        # when
        refused = await client.get("/v1/parents/weiss/alerts")
        # then
        assert refused.status_code == 503
        assert side.audit.entries == []
        side.store.let_go()
        await asyncio.gather(*slow)


async def test_queries_that_wait_for_a_write_leave_the_others_their_places():
    # given more than there are places
    side = full_side()
    await side.child("lena", parent_id="weiss", version=3, age=7)
    async with side.client(WEISS) as client:
        waiting = [asyncio.create_task(_late(side, client)) for _ in range(PLACES)]
        await until(lambda: waiting_queries(side) == PLACES)
        # when
        meanwhile = await client.get("/v1/parents/weiss/alerts")
        side.change("lena", age=8)
        answers = [await each for each in waiting]
    # then
    assert meanwhile.status_code == httpx2.codes.OK
    assert [answer.json()["age"] for answer in answers] == [8] * PLACES
    assert (waiting_queries(side), in_flight(side)) == (0, 0)


async def test_one_subject_waits_with_its_share_of_queries_and_gets_at_once_of_one_more():
    # given
    bounds = Bounds(requests=16, address_share=1, subject_share=0.25)
    side = QuerySide(bounds=bounds, max_waiting=8)
    await side.child("lena", parent_id="weiss", version=3)
    await side.child("mia", parent_id="braun", version=3)
    async with side.client(WEISS) as weiss, side.client(BRAUN) as braun:
        waiting = [asyncio.create_task(_late(side, weiss)) for _ in range(2)]
        await until(lambda: waiting_queries(side) == 2)
        # when
        refused = await _late(side, weiss, wait="10")
        without_wait = await weiss.get("/v1/children/lena")
        waiting.append(asyncio.create_task(_late(side, braun, "mia")))
        # then
        await until(lambda: waiting_queries(side) == 3)
        assert (refused.status_code, refused.json()["code"]) == (503, "read-model-late")
        assert refused.headers["Retry-After"] == "1"
        assert without_wait.status_code == httpx2.codes.OK
        assert _refused_waits(side, "subject") == 1
        for child_id in ("lena", "mia"):
            side.change(child_id)
        assert {(await each).status_code for each in waiting} == {200}


async def test_so_many_queries_wait_and_not_one_more():
    # given
    side = QuerySide(max_waiting=1)
    await side.child("lena", parent_id="weiss", version=3)
    async with side.client(WEISS) as client:
        waiting = asyncio.create_task(_late(side, client))
        await until(lambda: waiting_queries(side) == 1)
        # when
        refused = await _late(side, client, wait="10")
        side.change("lena")
        # then
        assert (refused.status_code, refused.json()["code"]) == (503, "read-model-late")
        assert _refused_waits(side, "total") == 1
        assert (await waiting).status_code == httpx2.codes.OK


async def test_a_write_that_is_visible_already_needs_no_wait():
    # given a process in which nobody may wait any more
    side = QuerySide(max_waiting=1)
    await side.child("lena", parent_id="weiss", version=3)
    async with side.client(WEISS) as client:
        waiting = asyncio.create_task(_late(side, client))
        await until(lambda: waiting_queries(side) == 1)
        # when
        seen = {"Consistency-Token": side.tokens.issue("lena", 3)}
        answer = await client.get("/v1/children/lena", headers=seen)
        # then
        assert answer.status_code == httpx2.codes.OK
        side.change("lena")
        await waiting


async def _late(
    side: QuerySide, client: httpx2.AsyncClient, child_id: str = "lena", wait: str = "1"
) -> httpx2.Response:
    """Ask for the child as a write shows it that is not projected yet."""
    token = side.tokens.issue(child_id, 4)
    headers = {"Consistency-Token": token, "Prefer": f"wait={wait}"}
    return await client.get(f"/v1/children/{child_id}", headers=headers)


def _refused_waits(side: QuerySide, reason: str) -> float | None:
    registry = side.service.registry
    return registry.get_sample_value("teddy_query_waits_refused_total", {"reason": reason})
