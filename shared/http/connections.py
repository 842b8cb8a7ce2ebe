"""Connections within bounds: their number, the time and the size of a request's head, and how far
requests are sent ahead of their answers."""

import asyncio
import math
from typing import Any, ClassVar, cast

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.utils import get_remote_addr

from shared.http.admission import SLOW_DOWN
from shared.http.connection_room import ConnectionRoom, Entry
from shared.http.exchange import SEND_WHOLE, Body, Lines, State
from shared.http.hanging_up import HANG_UP
from shared.http.problems import Problem, document_of, malformed

HEAD_SECONDS = 10.0
"""Longest from the first byte, or from connecting, until all headers are there."""

MOST_HEAD_BYTES = 32 * 1_024
"""What is kept of a head that does not end; a complete one has narrower limits (request_checks)."""

MOST_PIPELINED = 16
"""Requests that a client may send ahead of their answers. Each is kept with all its headers, and
one read from a connection could bring thousands."""

HELD_SECONDS = 2.0
"""Longest a connection is held until there is room in its address's share."""

SLOWED_SECONDS = 1.0
"""How long nothing is read after an answer that says so with `Retry-After: 1`: who does not heed it
would otherwise cost as much as one who is served."""


class PipelinedTooMany(Exception):
    """More requests ahead of their answers than are kept."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol within bounds: it turns away connections for which there is no room,
    and those that send their request's head too slowly, without end, or malformed.

    Not uvicorn's limit_concurrency: that looks only when a request comes, so that idle
    connections pile up, and its refusal does not say when to come back.
    """

    room: ClassVar[ConnectionRoom]
    head_seconds: ClassVar[float]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_due: asyncio.TimerHandle | None = None
        self._idle_since = math.inf
        self._head_bytes = 0
        self._has_asked = False
        self._slowed = False
        self._peer = ""
        self._is_trusted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        accepted = cast(asyncio.Transport, transport)  # as the base class takes it
        peer = get_remote_addr(accepted)
        self._peer = peer[0] if peer else ""
        self._is_trusted = self.room.is_trusted(self._peer)
        match self.room.enter(self, self._peer):
            case Entry.IN:
                super().connection_made(accepted)
                self._await_head()
            case Entry.HELD:
                super().connection_made(accepted)
                # not here: the loop begins to read once this returns
                self.loop.call_soon(self._read_nothing)
                self._head_due = self.loop.call_later(HELD_SECONDS, self.evict)
            case Entry.REFUSED:
                self.transport = accepted
                self._refuse(REFUSED_CONNECTION)

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes:  # else the head is there: usually it comes in one piece
            self._await_head()
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse(HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            self._refuse(TOO_FAR_AHEAD)
            raise PipelinedTooMany  # what the parser has still to read is left
        self._has_asked = True
        self._head_is_there()
        self.room.begins_request(self)
        if not self._is_trusted:  # through a proxy's many callers send in turn
            self.scope["state"][SLOW_DOWN] = self._slow_down
        self.scope["state"][HANG_UP] = self.transport.abort
        self.scope["state"][SEND_WHOLE] = self._send_whole
        super().on_headers_complete()

    def _unset_keepalive_if_required(self) -> None:
        """Bytes came. The timer goes on: at its end it looks for how long none came."""
        self._idle_since = math.inf

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            super().timeout_keep_alive_handler()
        elif left < math.inf:  # else the answer under way sets it
            self._await_next(left)

    def _await_next(self, seconds: float) -> None:
        handler = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(seconds, handler)

    def _next_request(self) -> None:
        """As the base class's `on_response_complete`, which sets a timer for each answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._await_next(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        self._next_request()
        if self.cycle.response_complete:  # else the next request was sent ahead of this answer
            self.room.becomes_idle(self)
        if self._slowed:
            self._read_nothing()
            self.loop.call_later(SLOWED_SECONDS, self._read_on)
        self._slowed = False

    def _send_whole(self, asked: State, status: int, lines: Lines, body: Body) -> bool:
        """As the cycle's `send` does it of a start and the whole body, in one piece and without
        looking for what cannot be in `lines`. False, and nothing is sent, where there is more to
        do than this, or `asked` is the state of a request that others were sent behind."""
        cycle = self.cycle
        is_plain = cycle.keep_alive and cycle.scope["method"] != "HEAD"
        if not is_plain or cycle.scope["state"] is not asked:
            return False
        if cycle.response_started or cycle.disconnected or self.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        head = b"\r\n".join(map(b": ".join, (*cycle.default_headers, *lines)))
        self.transport.write(b"".join((STATUS_LINE[status], head, b"\r\n\r\n", body)))
        cycle.message_event.set()
        cycle.on_response()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        self.room.leave(self)
        super()._unset_keepalive_if_required()
        super().connection_lost(exc)

    def admit(self) -> None:
        self._head_is_there()
        self._await_head()
        self._read_on()

    def evict(self) -> None:
        if self._has_asked:  # an answer now would be taken for that to its next request
            self._head_is_there()
            self.transport.close()
        else:
            self._refuse(REFUSED_CONNECTION)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the base class's words
        self._refuse(MALFORMED)

    def _slow_down(self) -> None:
        """Nothing more is read for a while once the answer under way is sent."""
        self._slowed = True

    def _read_nothing(self) -> None:
        if not self.transport.is_closing():
            self.flow.pause_reading()

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _await_head(self) -> None:
        if self._head_due is None:
            self._head_due = self.loop.call_later(self.head_seconds, self._refuse, HEAD_TOO_SLOW)

    def _head_is_there(self) -> None:
        self._head_bytes = 0
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _refuse(self, answer: bytes) -> None:
        self._head_is_there()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def bounded_protocol(
    connection_room: ConnectionRoom, seconds: float = HEAD_SECONDS
) -> type[HttpToolsProtocol]:
    """Connections as `connection_room` lets them in, and `seconds` for the head of a request on
    each."""

    class Bounded(BoundedProtocol):
        room = connection_room
        head_seconds = seconds

    return Bounded


def _answer(problem: Problem, *headers: bytes) -> bytes:
    """A whole response with a problem document, for where there is no request yet to answer."""
    body = orjson.dumps(document_of(problem))
    lines = (
        b"content-type: application/problem+json",
        b"content-length: %d" % len(body),
        b"cache-control: no-store",
        b"x-content-type-options: nosniff",
        b"connection: close",
        *headers,
    )
    return STATUS_LINE[problem.status] + b"\r\n".join(lines) + b"\r\n\r\n" + body


REFUSED_CONNECTION = _answer(
    Problem(503, "overloaded", "Overloaded", "Too many connections; retry later."),
    b"retry-after: 1",
)
HEAD_TOO_SLOW = _answer(
    Problem(
        408, "head-too-slow", "Headers too slow", f"Send all headers within {HEAD_SECONDS:g} s."
    )
)
HEAD_TOO_LARGE = _answer(
    Problem(431, "headers-too-large", "Headers too large", "Send fewer or shorter headers.")
)
MALFORMED = _answer(malformed("The request is not valid HTTP."))
TOO_FAR_AHEAD = _answer(
    malformed("Too many pipelined requests; wait for answers before sending more.")
)
