"""A receiver of webhooks that remembers what it was sent and answers as it is told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from standardwebhooks import Webhook

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0xMjM0NTY3OA=="
TAKEN = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def answer(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", "Content-Length: 0", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class WebhookReceiver:
    """`answers` are given in turn, then everything is taken. While `answering` is clear, nobody
    is answered."""

    url: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def settings(self) -> dict[str, str]:
        """Of a worker that is to post here."""
        return {
            "TEDDY_ALERT_CHANNELS": "in_app,webhook",
            "TEDDY_ALERT_WEBHOOK_URL": self.url,
            "TEDDY_ALERT_WEBHOOK_SECRET": SECRET,
            "TEDDY_ALERT_WEBHOOK_PRIVATE": "true",
        }

    def about(self, child_id: str) -> list[str]:
        """The violations of a child that somebody was notified of, in order."""
        return [one["violation_id"] for one in self.received if one["child_id"] == child_id]

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:]
            headers = {
                name.lower(): value
                for name, _, value in (line.partition(": ") for line in lines if line)
            }
            body = await reader.readexactly(int(headers["content-length"]))
            Webhook(SECRET).verify(body, headers)
            self.headers.append(headers)
            self.received.append(orjson.loads(body))
            await self.answering.wait()
            writer.write(self.answers.pop(0) if self.answers else TAKEN)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever posted gave up
        finally:
            writer.close()


@asynccontextmanager
async def webhook_receiver(
    tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[WebhookReceiver]:
    """On any port unless one is wanted."""
    receiver = WebhookReceiver()
    receiver.answering.set()
    server = await asyncio.start_server(receiver._take, "127.0.0.1", port, ssl=tls)
    try:
        port = server.sockets[0].getsockname()[1]
        scheme = "http" if tls is None else "https"
        receiver.url = f"{scheme}://127.0.0.1:{port}/alerts"
        yield receiver
    finally:
        receiver.answering.set()
        server.close()


@asynccontextmanager
async def dripping_receiver() -> AsyncIterator[str]:
    """Answers a byte each 50 ms, for ever; its URL."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever posted gave up
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
