"""Requests as bytes on a connection of their own: no client tidies them up, and what comes back is
counted."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.greedy_caller import Address

ANSWER_SECONDS = 20.0
MOST_BYTES = 4_000_000
STATUS_LINE = b"HTTP/1.1 "


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 0 where nothing came back. `headers`: by name in lower case, the last of each.
    `status_lines`: how many answers came. `seconds`: from sending to the end."""

    status: int
    headers: dict[str, str]
    body: bytes
    status_lines: int
    seconds: float

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def code(self) -> str:
        """Of a problem document."""
        before, mark, after = self.body.decode(errors="replace").partition('"code":"')
        return after.partition('"')[0] if mark and before else ""

    def __str__(self) -> str:
        if not self.status:
            return "closed without an answer"
        more = f", {self.status_lines} answers" if self.status_lines > 1 else ""
        return f"{self.status} {self.code}".strip() + more


def request(
    method: str, target: str, lines: Sequence[str] = (), body: bytes | None = None
) -> bytes:
    """With `Host`, the length of its body and its type, unless `lines` say otherwise."""
    given = {line.partition(":")[0].lower() for line in lines}
    usual = {"host": "Host: attacked", "connection": "Connection: close"}
    if body is not None:
        usual |= {
            "content-type": "Content-Type: application/json",
            "content-length": f"Content-Length: {len(body)}",
        }
    head = [line for name, line in usual.items() if name not in given]
    text = "\r\n".join([f"{method} {target} HTTP/1.1", *head, *lines, "", ""])
    return text.encode("latin-1") + (body or b"")


async def send(address: Address, content: bytes) -> Answer:
    """Raises TimeoutError when the connection is not closed in time."""
    began = time.monotonic()
    async with asyncio.timeout(ANSWER_SECONDS):
        received = await _exchanged(address, content)
    return parsed(received, time.monotonic() - began)


async def _exchanged(address: Address, content: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    received = bytearray()
    try:
        writer.write(content)
        while len(received) < MOST_BYTES and (more := await reader.read(65_536)):
            received += more
    except ConnectionError:  # closed while we were still sending: what came before it counts
        pass
    finally:
        writer.close()
    return bytes(received)


def parsed(received: bytes, seconds: float = 0.0) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    status = int(first[9:12]) if received.startswith(STATUS_LINE) else 0
    return Answer(status, headers, body, received.count(STATUS_LINE), seconds)
