"""Requests over kept connections with as little work as a client can do: what is measured is the
server."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

LENGTH, CACHE_HIT = b"content-length: ", b"x-cache: hit"


@dataclass
class Answered:
    """`bodies` in the order of the requests; `hits`: how many answers came from the cache;
    `waited`: seconds of each."""

    bodies: list[bytes]
    seconds: float = 0.0
    hits: int = 0
    waited: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.bodies) / self.seconds


def request(method: str, path: str, bearer: str, body: bytes | None = None) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {bearer}"]
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + (body or b"")


async def send_all(
    address: tuple[str, int], requests: Sequence[bytes], connections: int
) -> Answered:
    """Each connection sends the next request once its last one is answered. Raises RuntimeError
    for an answer that is no success."""
    answered, left = Answered([b""] * len(requests)), iter(enumerate(requests))
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_connection(address, left, answered))
    answered.seconds = time.perf_counter() - began
    return answered


async def _connection(
    address: tuple[str, int], left: Iterator[tuple[int, bytes]], answered: Answered
) -> None:
    reader, writer = await asyncio.open_connection(*address)
    try:
        for number, one in left:
            began = time.perf_counter()
            writer.write(one)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.index(LENGTH) + len(LENGTH)
            body = await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
            answered.waited.append(time.perf_counter() - began)
            if head[9:10] != b"2":
                raise RuntimeError(f"{one[:80]!r}: {head[:16]!r} {body[:300]!r}")
            answered.hits += CACHE_HIT in head
            answered.bodies[number] = body
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
