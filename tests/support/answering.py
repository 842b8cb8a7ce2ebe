"""A server that answers every connection with the same bytes, or with nothing at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.greedy_caller import LOOPBACK


@dataclass
class Answering:
    """`received`: what came on each connection before it was answered."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[Answering]:
    """`None`: connections are taken and not answered."""
    reported = Answering()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reported.received.append(await reader.read(65_536))
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    reported.port = server.sockets[0].getsockname()[1]
    async with server:
        yield reported
