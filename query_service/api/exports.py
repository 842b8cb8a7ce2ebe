"""Exports under way: their slots, their ends, and how they are sent."""

import asyncio
import math
import zlib
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from query_service.api.streams import Grant
from query_service.metrics import QueryMetrics
from query_service.queries.exporter import ChildErased, Exporter, Progress
from query_service.read_store.whole_child import GenerationGone
from shared.auth.access import Principal
from shared.event_store.port import StoreUnavailable
from shared.http.hanging_up import hang_up

JSON_LINES = "application/jsonl"

EXPORT_SECONDS = 1_800.0
"""An export's life. Whoever reads so slowly goes on with a cursor."""

READER_SECONDS = 30.0
"""How long a reader may take none of what waits for it."""

COMPRESSION = 6
GZIP_WINDOW = 31
"""For zlib: its largest window, in the format of gzip."""

log = structlog.get_logger(__name__)


class TooManyExports(Exception):
    """This process writes as many as it may."""


class ExportUnderWay(Exception):
    """The caller takes an export of this child already, or as many of others as one may."""


class ReaderTooSlow(Exception):
    """Nothing was taken for READER_SECONDS, or not all in the seconds there are for it."""


@dataclass(slots=True, eq=False)
class Exports:
    """At most `most` at a time in this process; of one caller one of each child, half of all."""

    exporter: Exporter
    most: int
    metrics: QueryMetrics
    reader_seconds: float = READER_SECONDS
    life_seconds: float = EXPORT_SECONDS
    closed: bool = field(default=False, init=False)
    _open: set[tuple[Principal, str]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.metrics.watch_exports(lambda: self.under_way)

    @property
    def under_way(self) -> int:
        return len(self._open)

    def slot_for(self, reader: Principal, child_id: str) -> ExitStack:
        """One of the exports under way, taken before anything is sent: whoever has it closes it,
        sent or not. Raises TooManyExports or ExportUnderWay."""
        taken = (reader, child_id)
        of_reader = sum(1 for other, _ in self._open if other == reader)
        if taken in self._open or of_reader >= max(1, self.most // 2):
            raise ExportUnderWay
        if len(self._open) >= self.most:
            raise TooManyExports
        self._open.add(taken)
        slot = ExitStack()
        slot.callback(self._open.discard, taken)
        return slot

    async def lines(
        self, child_id: str, header: bytes | None, start: Progress, grant: Grant
    ) -> AsyncGenerator[bytes, None]:
        """`header`, if any, and the lines after `start`, as long as the token holds, the process
        goes on and all can be read. What ends them early is counted; who reads them misses the last
        line."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + min(self.life_seconds, grant.seconds_left)
        ended = "reader"
        try:
            if header is not None:
                yield header + b"\n"
            async with aclosing(self.exporter.lines(child_id, start)) as lines:
                async for some in lines:
                    yield some
                    if self.closed or loop.time() >= ends_at or not await grant.holds():
                        ended = "limit"
                        return
            ended = "whole"
        except ChildErased:
            ended = "erased"
        except (GenerationGone, StoreUnavailable) as error:
            ended = "broken"
            reason = f"{type(error).__name__}: {error}"
            log.warning("export_interrupted", child_id=child_id, reason=reason)
        finally:
            self.metrics.export_ended(ended)

    def close(self) -> None:
        """Let every export end with the lines that it has: the process stops."""
        self.closed = True


class ExportStream(StreamingResponse):
    """The answer with `lines`; they are closed and its slot is given back however it ends."""

    too_slow = "export_client_too_slow"
    """On the log, of a reader that takes nothing."""

    def __init__(
        self,
        lines: AsyncGenerator[bytes, None],
        slot: ExitStack,
        headers: dict[str, str],
        reader_seconds: float,
        media_type: str = JSON_LINES,
        most_seconds: float = math.inf,
    ) -> None:
        """`most_seconds`: for all of it, however steadily it is taken."""
        super().__init__(lines, headers=headers, media_type=media_type)
        self._lines = lines
        self._slot = slot
        self._reader_seconds = reader_seconds
        self._most_seconds = most_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._most_seconds

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout_at(min(ends_at, loop.time() + self._reader_seconds)):
                    await send(message)
            except TimeoutError:
                raise ReaderTooSlow from None

        try:
            async with aclosing(self._lines):
                await super().__call__(scope, receive, send_in_time)
        except ReaderTooSlow:
            log.info(self.too_slow)
            if hang_up(scope):
                await self.listen_for_disconnect(receive)
        finally:
            self._slot.close()


async def gzipped(lines: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes]:
    """Each piece is compressed in a thread, and whole in what is sent of it. `lines` are closed
    with it."""
    packer = zlib.compressobj(COMPRESSION, wbits=GZIP_WINDOW)

    def packed(some: bytes) -> bytes:
        return packer.compress(some) + packer.flush(zlib.Z_SYNC_FLUSH)

    async with aclosing(lines):
        async for some in lines:
            yield await asyncio.to_thread(packed, some)
    yield packer.flush()


def takes_gzip(accept_encoding: str) -> bool:
    """Whether `Accept-Encoding` (RFC 9110, section 12.5.3) names gzip, and not with a weight of
    0."""
    for offered in accept_encoding.lower().split(","):
        name, _, weight = offered.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def export_headers(child_id: str, freshness: dict[str, str]) -> dict[str, str]:
    return {
        **freshness,
        "X-Cache": "miss",
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="child-{child_id}.jsonl"',
        "Vary": "Accept-Encoding",
        "X-Accel-Buffering": "no",  # a proxy would hold back what is to come as it is written
    }
