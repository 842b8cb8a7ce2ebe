"""Bytes on a real connection that are no request, or none that ends."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from deploy.local.plans import free_port
from shared.http.serving import serving
from tests.support.command_side import CommandSide
from tests.support.ports import listens
from tests.support.waiting import until

HEAD_SECONDS = 0.5
HOST = "127.0.0.1"


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


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"CONNECT evil.example:80 HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_with_a_problem(port: int, sent: bytes) -> None:
    first_line, body = await _answer_to(port, sent)

    assert first_line.startswith(b"HTTP/1.1 400 ")
    assert orjson.loads(body)["code"] == "malformed-request"


async def test_a_silent_connection_is_not_kept(port: int) -> None:
    first_line, body = await _answer_to(port)

    assert first_line.startswith(b"HTTP/1.1 408 ")
    assert orjson.loads(body)["code"] == "head-too-slow"


async def test_headers_that_do_not_end_in_time_are_not_waited_for(port: int) -> None:
    first_line, _ = await _answer_to(port, b"GET /health/live HTTP/1.1\r\n", b"X-A: b\r\n")

    assert first_line.startswith(b"HTTP/1.1 408 ")


async def test_empty_lines_do_not_keep_a_connection(port: int) -> None:
    first_line, _ = await _answer_to(port, b"\r\n", b"\r\n")

    assert first_line.startswith(b"HTTP/1.1 408 ")


async def test_headers_without_end_are_cut_off(port: int) -> None:
    first_line, body = await _answer_to(port, b"GET / HTTP/1.1\r\nX: ", b"a" * 40_000)

    assert first_line.startswith(b"HTTP/1.1 431 ")
    assert orjson.loads(body)["code"] == "headers-too-large"


async def test_an_upgrade_is_not_taken(port: int) -> None:
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


async def test_one_connection_serves_request_after_request(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    for _ in range(3):
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b'{"status":"live"}'))
        assert head.startswith(b"HTTP/1.1 200 ")
    writer.close()
