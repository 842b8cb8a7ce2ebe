"""One request and its answer, on the way out: on record before it is sent, with the headers that
every answer has."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from starlette.types import Message, Scope, Send

from shared.audit.record import (
    AuditedRequest,
    AuditRecord,
    AuditTrail,
    AuditUnavailable,
    children_of,
)
from shared.auth.access import Principal, operation_of
from shared.clock import Clock
from shared.http.admission import Admitted, slow_down
from shared.http.limits import Standing
from shared.http.problems import Problem
from shared.http.recent_requests import RecentRequests
from shared.http.request_context import CORRELATION, header_values

AUDIT_UNAVAILABLE = Problem(
    503,
    "audit-unavailable",
    "Audit trail unavailable",
    "The request cannot be recorded in the audit trail, so it was not executed; retry it.",
    headers={"Retry-After": "1"},
)
NOT_MODIFIED, REFUSED_FROM, TOO_MANY_REQUESTS, FAILED = 304, 400, 429, 500
READS = ("GET", "HEAD")
EVENT_STREAM = b"text/event-stream"
CORRELATION_LINE = CORRELATION.lower().encode()

Lines = Sequence[tuple[bytes, bytes]]
"""Headers as they are sent: names in lower case."""


SEND_WHOLE = "send_whole"
"""In the state of a request, where the server put it: sends an answer in one piece."""

Body = bytes | memoryview

State = dict[str, Any]
"""Of a request, shared by all who handle it."""

SendWhole = Callable[[State, int, Lines, Body], bool]
"""Of a request's state, status, headers and body. False, and nothing is sent, where that is not
possible."""


class Unrecorded(Exception):
    """Ends what answers: its answer is to be replaced, for it is not on record."""


class Records:
    """Nothing leaves under the API's prefix without a record in the audit trail.

    What was read is sent once its record is durable. Each request that brought a token is recorded,
    unless that was done inside."""

    def __init__(self, trail: AuditTrail, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock

    async def record(self, known: AuditedRequest, scope: Scope, status: int | None) -> None:
        """`status`: of the answer; None where there is none. Raises AuditUnavailable."""
        if known.recorded or not _brought_token(scope):
            return
        known.recorded = True
        entry = self._entry(known, scope, status)
        shows = known.shows or scope["method"] in READS
        if status is not None and status < REFUSED_FROM and shows:
            await self._trail.record(entry)
        else:
            self._trail.note(entry)

    def _entry(self, known: AuditedRequest, scope: Scope, status: int | None) -> AuditRecord:
        state = scope["state"]
        principal: Principal | None = state.get("principal")
        return AuditRecord(
            at=self._clock(),
            subject=principal.on_record if principal else "",
            role=principal.role if principal else "",
            operation=_operation(known, scope) or "UnknownRoute",
            outcome=_outcome(scope, status),
            address=known.address,
            correlation_id=state.get("correlation_id", ""),
            children=known.children
            or children_of([str(scope.get("path_params", {}).get("child_id", ""))]),
            tables=known.tables,
        )


def _brought_token(scope: Scope) -> bool:
    return "principal" in scope["state"] or bool(header_values(scope, b"authorization"))


_operation_of_route = cache(operation_of)


def _operation(known: AuditedRequest | None, scope: Scope) -> str | None:
    """What was asked for, by the route's name if nobody said it; never the path, which may hold
    anything. None where no route was found."""
    if known is not None and known.operation is not None:
        return known.operation
    name = getattr(scope.get("endpoint"), "__name__", None)
    return None if name is None else _operation_of_route(name)


def _outcome(scope: Scope, status: int | None) -> str:
    if status is None:
        return "failed"
    if status == NOT_MODIFIED:
        return "not-modified"
    if status < REFUSED_FROM:
        return "answered"
    return str(scope["state"].get("problem", f"status-{status}"))


class Exchange:
    """`send` is what answers the request. `always`: headers that each answer has, unless it says
    them itself. `recent` counts the request with its answer. Once it is `let_in`, its answer is
    recorded and its place is given back."""

    __slots__ = (
        "_admitted",
        "_always",
        "_known",
        "_recent",
        "_records",
        "_send",
        "_since",
        "scope",
    )

    def __init__(
        self, scope: Scope, send: Send, always: Lines, recent: RecentRequests | None = None
    ) -> None:
        self.scope = scope
        self._send = send
        self._always = always
        self._admitted: Admitted | None = None
        self._known: AuditedRequest | None = None
        self._records: Records | None = None
        self._recent = recent
        self._since = 0.0 if recent is None else recent.now()

    def let_in(self, admitted: Admitted, known: AuditedRequest, records: Records) -> None:
        self._admitted, self._known, self._records = admitted, known, records

    async def failed(self) -> None:
        """Record that there is no answer. Raises AuditUnavailable."""
        self._count(None)
        if self._known is not None and self._records is not None:
            await self._records.record(self._known, self.scope, None)

    async def send(self, message: Message) -> None:
        """Raises Unrecorded instead of sending what cannot be recorded."""
        if message["type"] == "http.response.start":
            await self._record(message["status"])
            message["headers"] = self._completed(message["status"], message["headers"])
        await self._send(message)

    async def send_whole(self, status: int, headers: Lines, body: Body) -> None:
        """A start and all of the body. `headers` hold nothing that came with a request. Raises
        Unrecorded."""
        await self._record(status)
        lines = self._completed(status, headers)
        state = self.scope["state"]
        at_once: SendWhole | None = state.get(SEND_WHOLE)
        if at_once is None or not at_once(state, status, lines, body):
            await self._send({"type": "http.response.start", "status": status, "headers": lines})
            await self._send({"type": "http.response.body", "body": body})

    async def _record(self, status: int) -> None:
        if self._known is not None and self._records is not None:
            try:
                await self._records.record(self._known, self.scope, status)
            except AuditUnavailable:
                raise Unrecorded from None

    def _completed(self, status: int, headers: Lines) -> list[tuple[bytes, bytes]]:
        """With secure headers where the answer does not say them itself, the request's id, and
        where its caller stands, once that was counted."""
        self._count(status)
        said = dict(headers)
        if self._admitted is not None:
            if said.get(b"content-type", b"").startswith(EVENT_STREAM):
                self._admitted.leave()  # other bounds hold for how many are open
            if status == TOO_MANY_REQUESTS:
                slow_down(self.scope)
        lines = [*headers, *[line for line in self._always if line[0] not in said]]
        standing: Standing | None = self.scope["state"].get("standing")
        if standing is not None:
            lines += standing.lines
        return lines

    def _count(self, status: int | None) -> None:
        """Once: what breaks after its head was sent, was answered."""
        recent, self._recent = self._recent, None
        if recent is None:
            return
        scope, operation = self.scope, _operation(self._known, self.scope)
        if status is not None and status < REFUSED_FROM:
            recent.answered(operation, self._since, status)
            return
        principal: Principal | None = scope["state"].get("principal")
        role, code = principal.role.value if principal else None, _outcome(scope, status)
        recent.refused(operation, self._since, status or FAILED, code, role)
