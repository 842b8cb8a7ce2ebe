"""The client reads exports and live updates record by record, however often a connection breaks."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import orjson
import pytest

from shared.client import LiveUpdate, TeddyClient, TeddyProblem, Unreachable, freshness_of
from shared.client.transport import Transport

HEADER = {"kind": "export", "child_id": "mia", "version": 3, "stale_since": None}
PROFILE = {"kind": "profile", "name": None, "age": 7, "unreadable": ["name"]}
SAFETY = {"kind": "safety", "total_violations": 2}
VIOLATIONS = [
    {"kind": "violation", "id": "v-1", "details": "was\u2028hit"},
    {"kind": "violation", "id": "v-2", "details": None, "unreadable": ["details"]},
]
EVENTS = [
    {"kind": "event", "version": 1, "data": {}},
    {"kind": "event", "version": 2, "data": None, "unreadable": ["data"]},
]
END = {"kind": "end", "counts": {"event": 2}, "unreadable": 3}
ALL = [HEADER, PROFILE, SAFETY, *VIOLATIONS, *EVENTS, END]


class Lines(httpx2.AsyncByteStream):
    """A body that comes in pieces of a few bytes, and may break off."""

    def __init__(self, *records: Any, breaks: bool = False, cut: int = 0) -> None:
        body = b"".join(orjson.dumps(record) + b"\n" for record in records)
        self._body = body[: len(body) - cut]
        self._breaks = breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for first in range(0, len(self._body), 11):
            yield self._body[first : first + 11]
        if self._breaks:
            raise httpx2.ReadError("gone")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited before each further try."""
    paused: list[float] = []

    async def pause(_: Transport, seconds: float, longest: float = 5.0) -> None:
        paused.append(min(seconds, longest))
        await asyncio.sleep(0)

    monkeypatch.setattr(Transport, "pause", pause)
    return paused


class Api:
    """Answers from a list, and remembers what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers: Iterator[httpx2.Response | Exception] = iter(answers)
        self.cursors: list[str | None] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/v1/children/mia/export"
        assert request.headers["Authorization"] == "Bearer token-1"
        self.cursors.append(request.url.params.get("cursor"))
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> TeddyClient:
        transport = httpx2.MockTransport(self)
        return TeddyClient("http://command", "http://query", "token-1", transport=transport)

    async def records(self) -> list[dict[str, Any]]:
        async with self.client() as client:
            return [record async for record in client.export_records("mia")]


def lines(*records: Any, breaks: bool = False, cut: int = 0) -> httpx2.Response:
    return httpx2.Response(200, stream=Lines(*records, breaks=breaks, cut=cut))


def progress(cursor: str) -> dict[str, str]:
    return {"kind": "progress", "cursor": cursor}


async def test_every_record_comes_once_also_compressed_and_no_progress_lines():
    api = Api(lines(*ALL[:3], progress("one"), *ALL[3:]))

    assert await api.records() == ALL
    body = b"".join(orjson.dumps(record) + b"\n" for record in ALL)
    headers = {"Content-Encoding": "gzip"}
    answer = httpx2.Response(200, content=gzip.compress(body), headers=headers)

    assert await Api(answer).records() == ALL


async def test_what_came_behind_the_last_cursor_comes_again_and_is_reported_once():
    # given an answer that breaks off, one that ends too early, one that breaks within a line
    api = Api(
        lines(*ALL[:2], progress("one"), *ALL[2:4], breaks=True),
        lines(*ALL[2:4], progress("two"), ALL[4]),
        lines(*ALL[4:7], cut=5),
        lines(*ALL[4:]),
    )
    # when / then
    assert await api.records() == ALL
    assert api.cursors == [None, "one", "two", "two"]


async def test_an_export_that_breaks_before_its_first_cursor_begins_anew():
    api = Api(lines(*ALL[:4], breaks=True), httpx2.ConnectError("gone"), lines(*ALL))

    assert await api.records() == ALL
    assert api.cursors == [None, None, None]


async def test_the_api_says_when_to_come_again(pauses: list[float]):
    api = Api(
        httpx2.Response(503, json={"code": "overloaded"}, headers={"Retry-After": "10"}),
        httpx2.Response(429, json={"code": "too-many-requests"}, headers={"Retry-After": "3600"}),
        lines(*ALL),
    )

    assert await api.records() == ALL
    assert pauses == [10, 30]


async def test_a_child_that_was_erased_meanwhile_is_not_asked_for_again():
    gone = httpx2.Response(404, json={"code": "child-not-found"})
    api = Api(lines(*ALL[:4], progress("one"), breaks=True), gone)

    with pytest.raises(TeddyProblem) as problem:
        await api.records()

    assert problem.value.code == "child-not-found"
    assert len(api.cursors) == 2


async def test_who_gets_no_further_gives_up():
    api = Api(*(lines(*ALL[:4], breaks=number % 2 == 0) for number in range(9)))

    with pytest.raises(Unreachable, match="no end"):
        await api.records()

    assert len(api.cursors) == 4


async def test_each_cursor_gives_new_tries():
    answers = [lines(PROFILE, progress(str(number)), breaks=True) for number in range(9)]
    api = Api(*answers, lines(END))

    assert await api.records() == [PROFILE] * 9 + [END]


async def test_one_document_is_what_it_was_before_exports_were_lines():
    talk = {"kind": "conversation", "conversation_id": "t-1"}
    answer = lines(*ALL[:5], talk, progress("one"), *ALL[5:])
    answer.headers["X-As-Of"] = "2026-11-23T12:00:00.000Z"

    async with Api(answer).client() as client:
        export = await client.export_child("mia")

    assert export == {
        "child_id": "mia",
        "version": 3,
        "stale_since": None,
        "profile": {"name": None, "age": 7},
        "safety": {
            "total_violations": 2,
            "violations": [
                {"id": "v-1", "details": "was\u2028hit"},
                {"id": "v-2", "details": None},
            ],
        },
        "conversations": [{"conversation_id": "t-1"}],
        "activity": [],
        "alerts": [],
        "events": [{"version": 1, "data": {}}, {"version": 2, "data": None}],
        "unreadable": ["profile.name", "safety.violations.1.details", "events.2"],
    }
    assert freshness_of(export).as_of == "2026-11-23T12:00:00.000Z"


async def test_a_child_without_incidents_has_no_safety():
    async with Api(lines(HEADER, PROFILE, END)).client() as client:
        export = await client.export_child("mia")

    assert (export["safety"], export["events"]) == (None, [])


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


async def test_events_are_heard_in_order_and_heartbeats_are_not():
    body = Line(b"retry: 1000\n\n", CHANGE, b": heartbeat\n\n", ALERT[:20], ALERT[20:])
    updates: list[LiveUpdate] = []

    await heard(client(httpx2.Response(200, stream=body)), updates)

    assert updates == [
        {"event": "change", "data": {"child_id": "mia", "version": 4}},
        {"event": "alert", "data": {"alert_id": "a-1", "child_id": "mia"}},
    ]


async def test_a_stream_that_is_refused_is_a_problem():
    refused = httpx2.Response(404, json={"code": "parent-not-found"})

    with pytest.raises(TeddyProblem) as problem:
        await heard(client(refused), [])

    assert (problem.value.status, problem.value.code) == (404, "parent-not-found")


async def test_a_stream_that_breaks_off_is_unreachable_and_what_came_before_was_heard():
    updates: list[LiveUpdate] = []
    body = Line(CHANGE, breaks=True)

    with pytest.raises(Unreachable, match="ReadError"):
        await heard(client(httpx2.Response(200, stream=body)), updates)

    assert [update["event"] for update in updates] == ["change"]


async def test_an_api_that_is_not_there_is_unreachable():
    with pytest.raises(Unreachable, match="ConnectError"):
        await heard(client(httpx2.ConnectError("gone")), [])
