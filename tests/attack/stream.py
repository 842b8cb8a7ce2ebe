"""Live streams of a family, as bytes on a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.attack.wire import request
from tests.attack.world import World


@dataclass(frozen=True, slots=True)
class Stream:
    """`status` 200 is one that was opened."""

    status: int
    reader: asyncio.StreamReader

    async def ends(self, seconds: float) -> bytes:
        """All that it said until it ended; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            return await self.reader.read()

    async def hears(self, word: str, seconds: float) -> bytes:
        """What it says up to `word`; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            return await self.reader.readuntil(word.encode())

    async def says(self, seconds: float) -> bytes:
        """All that it says in `seconds`, or until it ends."""
        said = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while more := await self.reader.read(65_536):
                    said += more
        except TimeoutError:
            pass
        return bytes(said)


@asynccontextmanager
async def following(world: World, bearer: str, parent_id: str) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection(*world.address("query"))
    path = f"/v1/parents/{parent_id}/stream"
    try:
        writer.write(request("GET", path, [f"Authorization: Bearer {bearer}"]))
        head = await reader.readuntil(b"\r\n\r\n")
        yield Stream(int(head[9:12]), reader)
    finally:
        writer.close()
