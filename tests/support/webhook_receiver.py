"""A receiver of webhooks that takes everything and remembers it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

LENGTH = b"content-length:"
TAKEN = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@dataclass
class WebhookReceiver:
    url: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)

    def about(self, child_id: str) -> list[str]:
        """The violations of a child that somebody was notified of, in order."""
        return [one["violation_id"] for one in self.received if one["child_id"] == child_id]

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower().splitlines()
        (length,) = (int(line.removeprefix(LENGTH)) for line in head if line.startswith(LENGTH))
        self.received.append(orjson.loads(await reader.readexactly(length)))
        writer.write(TAKEN)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    server = await asyncio.start_server(receiver._take, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        receiver.url = f"http://127.0.0.1:{port}/alerts"
        yield receiver
