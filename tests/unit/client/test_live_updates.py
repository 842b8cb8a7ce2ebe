from collections.abc import AsyncIterator

import httpx2
import pytest

from shared.client import LiveUpdate, TeddyClient, TeddyProblem, Unreachable

CHANGE = b'event: change\ndata: {"child_id":"mia","version":4}\n\n'
ALERT = b'event: alert\nid: a-1\ndata: {"alert_id":"a-1","child_id":"mia"}\n\n'


class Line(httpx2.AsyncByteStream):
    """A response body that comes in pieces, and may break off."""

    def __init__(self, *pieces: bytes, breaks: bool = False) -> None:
        self._pieces = pieces
        self._breaks = breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._breaks:
            raise httpx2.ReadError("gone")


def client(answer: httpx2.Response | Exception) -> TeddyClient:
    def handle(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/v1/parents/p-1/stream"
        assert request.headers["Authorization"] == "Bearer token-1"
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = httpx2.MockTransport(handle)
    return TeddyClient("http://command", "http://query", "token-1", transport=transport)


async def heard(teddy: TeddyClient, into: list[LiveUpdate]) -> None:
    async with teddy:
        async for update in teddy.live_updates("p-1"):
            into.append(update)


async def test_events_are_heard_in_order_and_heartbeats_are_not() -> None:
    body = Line(b"retry: 1000\n\n", CHANGE, b": heartbeat\n\n", ALERT[:20], ALERT[20:])
    updates: list[LiveUpdate] = []

    await heard(client(httpx2.Response(200, stream=body)), updates)

    assert updates == [
        {"event": "change", "data": {"child_id": "mia", "version": 4}},
        {"event": "alert", "data": {"alert_id": "a-1", "child_id": "mia"}},
    ]


async def test_a_stream_that_is_refused_is_a_problem() -> None:
    refused = httpx2.Response(404, json={"code": "parent-not-found"})

    with pytest.raises(TeddyProblem) as problem:
        await heard(client(refused), [])

    assert (problem.value.status, problem.value.code) == (404, "parent-not-found")


async def test_a_stream_that_breaks_off_is_unreachable_and_what_came_before_was_heard() -> None:
    updates: list[LiveUpdate] = []
    body = Line(CHANGE, breaks=True)

    with pytest.raises(Unreachable, match="ReadError"):
        await heard(client(httpx2.Response(200, stream=body)), updates)

    assert [update["event"] for update in updates] == ["change"]


async def test_an_api_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="ConnectError"):
        await heard(client(httpx2.ConnectError("gone")), [])
