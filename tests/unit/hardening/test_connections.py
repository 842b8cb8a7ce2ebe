"""Bytes on a real connection that are no request, or none that ends, and what proxies say of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import orjson
import pytest

from deploy.local.plans import free_port
from shared.http.connections import MOST_PIPELINED
from shared.http.request_context import networks_of, with_callers_address
from shared.http.serving import IDLE_SECONDS, serving
from shared.http.settings import Bounds
from tests.support.command_side import MOTHER, CommandSide
from tests.support.consents import CONSENTS
from tests.support.greedy_caller import Line, read_answer
from tests.support.ports import listens
from tests.support.rate_limits import limits_of
from tests.support.waiting import until

HEAD_SECONDS = 0.5
HOST = "127.0.0.1"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a command API that waits half a second for a request's head."""
    port = free_port(None)
    async with serving(CommandSide().app, HOST, port, head_seconds=HEAD_SECONDS):
        await until(lambda: listens((HOST, port)))
        yield port


async def _answer_to(port: int, *parts: bytes) -> tuple[bytes, bytes]:
    """First line and body of all that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nserver:" not in head.lower()
    return head.partition(b"\r\n")[0], body


NO_HTTP = (
    b"hello\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    b"CONNECT evil.example:80 HTTP/1.1\r\n\r\n",
)
UNFINISHED = {
    "silence": (),
    "headers that do not end": (b"GET /health/live HTTP/1.1\r\n", b"X-A: b\r\n"),
    "empty lines": (b"\r\n", b"\r\n"),
}


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        *(((sent,), 400, "malformed-request") for sent in NO_HTTP),
        *((parts, 408, "head-too-slow") for parts in UNFINISHED.values()),
        ((b"GET / HTTP/1.1\r\nX: ", b"a" * 40_000), 431, "headers-too-large"),
    ],
    ids=[*map(str, NO_HTTP), *UNFINISHED, "headers without end"],
)
async def test_what_is_no_http_or_does_not_end_is_refused_with_a_problem(
    port: int, parts: tuple[bytes, ...], status: int, code: str
):
    first_line, body = await _answer_to(port, *parts)
    assert first_line.startswith(f"HTTP/1.1 {status} ".encode())
    assert orjson.loads(body)["code"] == code


async def test_an_upgrade_is_not_taken(port: int):
    lines = (
        b"GET /health/live HTTP/1.1",
        b"Host: a",
        b"Connection: Upgrade, close",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    )

    first_line, _ = await _answer_to(port, b"\r\n".join(lines) + b"\r\n\r\n")

    assert not first_line.startswith(b"HTTP/1.1 101 ")


async def test_one_connection_serves_request_after_request(port: int):
    reader, writer = await asyncio.open_connection(HOST, port)
    for _ in range(3):
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b'{"status":"live"}'))
        assert head.startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_of_requests_sent_ahead_of_their_answers_only_so_many_are_kept(port: int):
    # given as many as one read may bring
    request = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    first_line, body = await _answer_to(port, request * 1_000)
    assert first_line.startswith(b"HTTP/1.1 400 ")
    detail = orjson.loads(body)["detail"]
    assert detail == "Too many pipelined requests; wait for answers before sending more."


async def test_a_few_requests_sent_ahead_are_answered_in_turn(port: int):
    # given
    request = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    reader, writer = await asyncio.open_connection(HOST, port)
    # when
    writer.write(request * MOST_PIPELINED)
    # then
    for _ in range(MOST_PIPELINED):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b'{"status":"live"}'))
        assert head.startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.fixture
async def narrow_port() -> AsyncIterator[int]:
    """Of a command API with room for two connections, each of them of anybody."""
    port = free_port(None)
    app = CommandSide(bounds=Bounds(connections=2, address_share=1)).app
    async with serving(app, HOST, port):
        await until(lambda: listens((HOST, port)))
        yield port


async def test_a_connection_that_sent_nothing_makes_room_and_is_told_so(narrow_port: int):
    # given
    silent, busy = [await asyncio.open_connection(HOST, narrow_port) for _ in range(2)]
    # when
    first_line, _ = await _answer_to(narrow_port, LIVE)
    # then
    assert first_line.startswith(b"HTTP/1.1 200 ")
    reported = await silent[0].read()
    assert reported.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in reported
    for _, writer in (silent, busy):
        writer.close()


async def test_a_kept_connection_makes_room_without_an_answer_that_nobody_asked_for(
    narrow_port: int,
):
    # given one that was answered, then one that is silent from the start
    reader, kept = await asyncio.open_connection(HOST, narrow_port)
    kept.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b'{"status":"live"}')
    _, silent = await asyncio.open_connection(HOST, narrow_port)
    # when
    first_line, _ = await _answer_to(narrow_port, LIVE)
    # then
    assert first_line.startswith(b"HTTP/1.1 200 ")
    assert await reader.read() == b""
    for writer in (kept, silent):
        writer.close()


async def test_an_idle_connection_is_kept_for_longer_than_clients_keep_one(
    monkeypatch: pytest.MonkeyPatch,
):
    # given
    usual_proxies = 120
    assert usual_proxies < IDLE_SECONDS
    monkeypatch.setattr("shared.http.serving.IDLE_SECONDS", 0.05)
    port = free_port(None)
    async with serving(CommandSide().app, HOST, port):
        await until(lambda: listens((HOST, port)))
        # when
        reader, kept = await asyncio.open_connection(HOST, port)
        kept.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b'{"status":"live"}')
        # then
        assert await reader.read() == b""
        kept.close()


async def test_who_comes_too_many_is_answered_at_once_and_heard_later(
    monkeypatch: pytest.MonkeyPatch,
):
    # given a subject that has used up its rate, and a server that never hears on
    monkeypatch.setattr("shared.http.connections.SLOWED_SECONDS", 3_600.0)
    side = CommandSide(limits=limits_of(registration="1/hour"))
    port = free_port(None)
    request = _registration(side)
    async with serving(side.app, HOST, port):
        await until(lambda: listens((HOST, port)))
        line = await asyncio.open_connection(HOST, port)
        other = await asyncio.open_connection(HOST, port)
        # when
        statuses = [await _status_of(line, request) for _ in range(2)]
        line[1].write(LIVE)
        # then it waits, and others do not
        assert statuses == [201, 429]
        assert await _status_of(other, LIVE) == 200
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line[0].read(1), 0.2)
        for _, writer in (line, other):
            writer.close()


def _registration(side: CommandSide) -> bytes:
    child = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0001", "consents": CONSENTS}
    body = orjson.dumps(child)
    lines = (
        "POST /v1/children HTTP/1.1",
        "Host: a",
        f"Authorization: {side.bearer(MOTHER)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _status_of(line: Line, request: bytes) -> int:
    line[1].write(request)
    return await read_answer(line[0])


TRUSTED = networks_of("10.0.0.0/8, 2001:db8::7")


async def seen(peer: str, *forwarded: str) -> str:
    """The address that the application sees."""
    clients: list[Any] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        clients.append(with_callers_address(scope, TRUSTED)["client"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    transport = httpx2.ASGITransport(app, client=(peer, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        await client.get("/", headers=[("X-Forwarded-For", value) for value in forwarded])
    return str(clients[0][0])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.1.2.3", (), "10.1.2.3"),
        ("10.1.2.3", ("192.0.2.9",), "192.0.2.9"),
        ("2001:db8::7", ("2001:DB8::99",), "2001:db8::99"),
        # through two proxies of ours
        ("10.1.2.3", ("192.0.2.9, 10.9.9.9",), "192.0.2.9"),
        ("10.1.2.3", ("192.0.2.9", "10.9.9.9"), "192.0.2.9"),
        # what the caller wrote itself stands before what our proxy saw
        ("10.1.2.3", ("198.51.100.1, 192.0.2.9",), "192.0.2.9"),
        ("10.1.2.3", ("10.0.0.1, 192.0.2.9",), "192.0.2.9"),
        # from anybody else it is ignored
        ("192.0.2.66", ("198.51.100.1",), "192.0.2.66"),
        ("testclient", ("198.51.100.1",), "testclient"),
        # no addresses
        ("10.1.2.3", ("unknown",), "10.1.2.3"),
        ("10.1.2.3", ("x" * 5_000,), "10.1.2.3"),
        ("10.1.2.3", ("192.0.2.9:443",), "10.1.2.3"),
        ("10.1.2.3", ("[/]", "192.0.2.9"), "192.0.2.9"),
        ("10.1.2.3", ("",), "10.1.2.3"),
        ("10.1.2.3", (",".join(["10.0.0.1"] * 2_000),), "10.0.0.1"),
    ],
)
async def test_the_address_is_the_last_that_no_proxy_of_ours_has(
    peer: str, forwarded: tuple[str, ...], address: str
):
    assert await seen(peer, *forwarded) == address
