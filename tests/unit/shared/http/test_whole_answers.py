"""An answer that is sent in one piece is the same, byte by byte, as one that is not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.local.plans import free_port
from shared.http import connections
from shared.http.serving import serving
from tests.support.ports import listens
from tests.support.query_side import QuerySide, parent
from tests.support.waiting import until

HOST = "127.0.0.1"
ID = "b" * 32


@pytest.fixture
async def asked() -> AsyncIterator[tuple[int, str]]:
    """Port and token of a query API that has a child."""
    side, port = QuerySide(), free_port(None)
    await side.child("lena", parent_id="weiss")
    async with serving(side.app, HOST, port):
        await until(lambda: listens((HOST, port)))
        yield port, side.bearer(parent("weiss"))["Authorization"]


async def received(
    port: int, token: str, *requests: tuple[str, str], ahead: bool = False
) -> list[bytes]:
    """The lines that come back for `requests` (first line and more headers). Each is sent once the
    one before it is answered; `ahead`: all at once."""
    reader, writer = await asyncio.open_connection(HOST, port)
    answer = b""
    for line, more in (*requests, ("GET /health/live HTTP/1.1", "Connection: close\r\n")):
        head = f"Host: a\r\nAuthorization: {token}\r\nCorrelation-Id: {ID}\r\n{more}"
        writer.write(f"{line}\r\n{head}\r\n".encode())
        if "close" in more or "HTTP/1.0" in line:
            break  # the server closes the connection behind this answer
        if not ahead:
            answer += await asyncio.wait_for(_one_answer(reader, line), 20)
    answer += await asyncio.wait_for(reader.read(), 20)
    writer.close()
    changing = (b"date:", b"age:", b"ratelimit:")
    return [line for line in answer.split(b"\r\n") if not line.startswith(changing)]


async def _one_answer(reader: asyncio.StreamReader, line: str) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    _, found, length = head.partition(b"content-length: ")
    if not found or line.startswith("HEAD"):
        return head
    return head + await reader.readexactly(int(length.split(b"\r\n")[0]))


PROFILE = "/v1/children/lena"
CASES = {
    "get": [(f"GET {PROFILE} HTTP/1.1", "")],
    "head": [(f"HEAD {PROFILE} HTTP/1.1", "")],
    "not modified": [(f"GET {PROFILE} HTTP/1.1", "If-None-Match: *\r\n")],
    "old version": [(f"GET {PROFILE} HTTP/1.0", "")],
    "closing": [(f"GET {PROFILE} HTTP/1.1", "Connection: close\r\n")],
    "sent ahead": [(f"GET {PROFILE} HTTP/1.1", ""), ("GET /v1/children/none HTTP/1.1", "")] * 3,
    "with a body": [(f"GET {PROFILE} HTTP/1.1", "Content-Length: 0\r\nExpect: 100-continue\r\n")],
}


@pytest.mark.parametrize("requests", CASES.values(), ids=CASES)
async def test_it_is_the_same_as_in_two_pieces(
    asked: tuple[int, str], requests: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
):
    # given an answer that is in the cache
    await received(*asked, (f"GET {PROFILE} HTTP/1.1", ""))
    sent = []
    whole = connections.BoundedProtocol._send_whole

    def counted(*arguments: object) -> bool:
        sent.append(whole(*arguments))  # type: ignore[arg-type] # those of the method
        return sent[-1]

    monkeypatch.setattr(connections.BoundedProtocol, "_send_whole", counted)
    ahead = len(requests) > 1
    at_once = await received(*asked, *requests, ahead=ahead)
    # when
    monkeypatch.setattr(connections.BoundedProtocol, "_send_whole", lambda *_: False)
    in_pieces = await received(*asked, *requests, ahead=ahead)
    # then
    assert at_once == in_pieces
    assert b"HTTP/1.1 200 OK" in at_once
    kept = not any("HEAD" in line or "1.0" in line or "close" in more for line, more in requests)
    assert ahead or (True in sent) == kept
