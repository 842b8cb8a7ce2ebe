"""A TCP proxy whose connections can go silent, slow or away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK = 65_536


class TcpProxy:
    """Stands before `host`:`port` at `self.port` of the loopback interface. `delay_seconds`: how
    much later each piece of an answer arrives."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.delay_seconds = 0.0

    def silence(self) -> int:
        """Connections made before carry nothing any more, in either direction, and stay open, as
        behind a firewall that forgot them. Later ones are as good as new. Returns how many."""
        pumps, self._pumps = self._pumps, set()
        for pump in pumps:
            pump.cancel()
        return len(pumps) // 2

    def cut(self) -> int:
        """End every connection and refuse new ones until `start`. Returns how many ended."""
        if self._server is not None:
            self._server.close()
        ended = self.silence()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        return ended

    async def start(self) -> None:
        """Take connections; after `cut` on the same port again."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, there_writer}
        self._pumps |= {
            asyncio.create_task(self._pump(reader, there_writer, late=False)),
            asyncio.create_task(self._pump(there_reader, writer, late=True)),
        }

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool
    ) -> None:
        """Until one side ends. Cancelled, it leaves both open."""
        try:
            while data := await reader.read(CHUNK):
                if late and self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # the other side is gone: so is this one
        writer.close()


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        proxy.cut()
