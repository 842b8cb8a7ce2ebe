"""Live updates to open dashboards, as server-sent events."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from query_service.api.recent_changes import RecentChanges
from shared.auth.access import Principal
from shared.read_models.notices import AlertNotice, ChangeNotice

MOST_WAITING = 100
"""Events a reader may fall behind; then its stream ends and it comes back to a fresh start."""

HEARTBEAT_SECONDS = 15.0
"""Below the idle timeout of usual proxies."""

MOST_OPEN = 20
"""Streams of one reader at the same time."""

STREAM_SECONDS = 3_600.0
"""A stream's life. Its reader then connects again, and shows a token that is still good."""

EVENT_STREAM = "text/event-stream"
OPENING = b"retry: 1000\n\n"
HEARTBEAT = b": heartbeat\n\n"


class Stream:
    """One reader: what it has still to be sent."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)

    def send(self, event: bytes) -> None:
        """Never waits: a reader that is too slow is disconnected."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """What waits is dropped: the reader will ask for the present state anyway."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def next_event(self, seconds: float) -> bytes | None:
        """The next event, None at the end; raises TimeoutError."""
        return await asyncio.wait_for(self._waiting.get(), seconds)


class TooManyStreams(Exception):
    """The reader has as many open as one may have."""


class Grant(Protocol):
    """What lets a reader read: its token."""

    @property
    def seconds_left(self) -> float: ...

    async def holds(self) -> bool: ...


class EventStream(StreamingResponse):
    """The answer with `events`; its slot is given back however it ends."""

    def __init__(self, events: AsyncIterator[bytes], slot: ExitStack) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers, media_type=EVENT_STREAM)
        self._slot = slot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slot.close()


@dataclass(slots=True, eq=False)
class Streams:
    """Hands every notice to the open streams of its parent, and of no one else."""

    max_per_reader: int = MOST_OPEN
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    life_seconds: float = STREAM_SECONDS
    recent: RecentChanges = field(default_factory=RecentChanges)
    _by_parent: dict[str, set[Stream]] = field(default_factory=dict, init=False)
    _open_of: Counter[Principal] = field(default_factory=Counter, init=False)
    _closed: bool = field(default=False, init=False)

    def slot_for(self, reader: Principal) -> ExitStack:
        """One of the streams that a reader may have open. It is taken before anything is sent, or
        many requests at once would all find room; whoever has it closes it, sent or not. Raises
        TooManyStreams."""
        if self._open_of[reader] >= self.max_per_reader:
            raise TooManyStreams
        self._open_of[reader] += 1
        slot = ExitStack()
        slot.callback(self._give_back, reader)
        return slot

    async def follow(self, parent_id: str, grant: Grant) -> AsyncIterator[bytes]:
        """The changes of the last seconds, then the events of the parent's children as they happen,
        heartbeats in between, for as long as the grant holds."""
        stream = Stream()
        for notice in self.recent.of_family(parent_id)[:MOST_WAITING]:
            stream.send(_event(notice))
        self._by_parent.setdefault(parent_id, set()).add(stream)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + min(self.life_seconds, grant.seconds_left)
        try:
            yield OPENING
            while not self._closed and (left := ends_at - loop.time()) > 0:
                try:
                    event = await stream.next_event(min(left, self.heartbeat_seconds))
                except TimeoutError:
                    event = HEARTBEAT
                if event is None or not await grant.holds():
                    return
                yield event
        finally:
            self._forget(parent_id, stream)

    def received(self, notice: ChangeNotice | AlertNotice) -> None:
        if isinstance(notice, ChangeNotice):
            self.recent.received(notice)
        streams = self._by_parent.get(notice.parent_id)
        if not streams:
            return
        event = _event(notice)
        for stream in streams:
            stream.send(event)

    def connection_changed(self, connected: bool) -> None:
        """Once notices arrive again, readers come back: they may have missed some."""
        if connected:
            self._end_all()

    def close(self) -> None:
        """End every stream, for good: the process stops."""
        self._closed = True
        self._end_all()

    def _end_all(self) -> None:
        for streams in self._by_parent.values():
            for stream in streams:
                stream.end()

    def _give_back(self, reader: Principal) -> None:
        self._open_of[reader] -= 1
        if not self._open_of[reader]:
            del self._open_of[reader]

    def _forget(self, parent_id: str, stream: Stream) -> None:
        streams = self._by_parent[parent_id]
        streams.discard(stream)
        if not streams:
            del self._by_parent[parent_id]


def _event(notice: ChangeNotice | AlertNotice) -> bytes:
    if isinstance(notice, AlertNotice):
        return b"event: alert\nid: %b\ndata: %b\n\n" % (notice.alert_id.encode(), notice.to_json())
    content = {"child_id": notice.child_id, "version": notice.version}
    return b"event: change\ndata: %b\n\n" % orjson.dumps(content)
