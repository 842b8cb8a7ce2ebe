"""The stream over a real connection: the in-process transport waits for the end of a response."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from query_service.api.streams import MOST_OPEN
from shared.clock import unix_seconds
from shared.http.limits import Bounds
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
) -> None:
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
) -> None:
    async with reading(await server.url(), side.bearer(OFFICER)) as lines:
        await server.stop()
        assert [line async for line in lines] == []


async def test_a_reader_that_hangs_up_is_forgotten(side: QuerySide, server: RunningServer) -> None:
    async with reading(await server.url(), side.bearer(parent("weiss"))):
        assert side.open_streams == 1
    await until(lambda: side.open_streams == 0)


async def test_open_streams_leave_queries_their_places() -> None:
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
) -> None:
    # given
    url, bearer = await server.url(), side.bearer(parent("weiss"))
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=url, headers=bearer, limits=limits) as client:
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


async def test_a_live_stream_ends_with_its_token(side: QuerySide, server: RunningServer) -> None:
    # given a token that is good for a second yet
    expires = int(unix_seconds()) + 2
    bearer = {"Authorization": f"Bearer {side.forger.token(exp=expires)}"}
    async with reading(await server.url(), bearer) as lines:
        assert [line async for line in lines if line != ": heartbeat"] == []
    assert unix_seconds() >= expires
