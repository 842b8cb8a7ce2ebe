"""Nothing leaves under the API's prefix without a record in the audit trail."""

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.audit.record import (
    AuditedRequest,
    AuditRecord,
    AuditTrail,
    AuditUnavailable,
    children_of,
    under_way,
)
from shared.auth.access import Principal
from shared.clock import Clock
from shared.http.problems import Problem, problem_response

AUDIT_UNAVAILABLE = Problem(
    503,
    "audit-unavailable",
    "Audit trail unavailable",
    "The request cannot be recorded in the audit trail, so it was not executed; retry it.",
    headers={"Retry-After": "1"},
)
NOT_MODIFIED, REFUSED_FROM = 304, 400
READS = ("GET", "HEAD")


class _Unrecorded(Exception):
    """Ends what answers: its answer was replaced."""


class AuditEdge:
    """Records each request that brought a token, unless it was recorded inside.

    What was read is sent once its record is durable; without that the answer is replaced by 503.
    """

    def __init__(self, app: ASGIApp, trail: AuditTrail, clock: Clock, prefix: str) -> None:
        self._app = app
        self._trail = trail
        self._clock = clock
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        known = AuditedRequest(address=scope["client"][0] if scope.get("client") else "")
        token = under_way.set(known)
        try:
            await self._answer(known, scope, receive, send)
        finally:
            under_way.reset(token)

    async def _answer(
        self, known: AuditedRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        request = Request(scope)

        async def audited(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    await self._record(known, request, message["status"])
                except AuditUnavailable:
                    raise _Unrecorded from None
            await send(message)

        try:
            await self._app(scope, receive, audited)
        except _Unrecorded:
            await problem_response(request, AUDIT_UNAVAILABLE)(scope, receive, send)
        except Exception:
            await self._record(known, request, None)
            raise

    async def _record(self, known: AuditedRequest, request: Request, status: int | None) -> None:
        if known.recorded or "Authorization" not in request.headers:
            return
        known.recorded = True
        entry = self._entry(known, request, status)
        is_read = request.method in READS
        if status is not None and status < REFUSED_FROM and is_read:
            await self._trail.record(entry)
        else:
            self._trail.note(entry)

    def _entry(self, known: AuditedRequest, request: Request, status: int | None) -> AuditRecord:
        principal: Principal | None = getattr(request.state, "principal", None)
        named = children_of([str(request.path_params.get("child_id", ""))])
        return AuditRecord(
            at=self._clock(),
            subject=principal.on_record if principal else "",
            role=principal.role.value if principal else "",
            operation=known.operation or _operation(request),
            outcome=_outcome(request, status),
            address=known.address,
            correlation_id=str(getattr(request.state, "correlation_id", "")),
            children=known.children or named,
        )


def _operation(request: Request) -> str:
    """The route's name, as commands and queries are written; never the path, which may hold
    anything."""
    endpoint = request.scope.get("endpoint")
    name = getattr(endpoint, "__name__", "unknown_route")
    return "".join(word.title() for word in name.split("_"))


def _outcome(request: Request, status: int | None) -> str:
    if status is None:
        return "failed"
    if status == NOT_MODIFIED:
        return "not-modified"
    if status < REFUSED_FROM:
        return "answered"
    return str(getattr(request.state, "problem", f"status-{status}"))
