"""Nothing leaves under the API's prefix that the audit trail does not tell of."""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.audit.record import AuditRecord, AuditTrail, AuditUnavailable, children_of
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


@dataclass(slots=True)
class Asked:
    """What is known of the request under way. `recorded`: somebody inside told the trail."""

    address: str
    operation: str | None = None
    children: tuple[str, ...] = ()
    recorded: bool = False


_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)


def asked_now() -> Asked | None:
    """The request that the calling task works on; None outside of HTTP."""
    return _asked.get()


def tell_audit(operation: str, children: Iterable[str]) -> None:
    """What the request under way asks, and whose data its answer holds."""
    asked = asked_now()
    if asked is not None:
        asked.operation, asked.children = operation, children_of(children)


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
        asked = Asked(address=scope["client"][0] if scope.get("client") else "")
        token = _asked.set(asked)
        try:
            await self._answer(asked, scope, receive, send)
        finally:
            _asked.reset(token)

    async def _answer(self, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)

        async def audited(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    await self._record(asked, request, message["status"])
                except AuditUnavailable:
                    raise _Unrecorded from None
            await send(message)

        try:
            await self._app(scope, receive, audited)
        except _Unrecorded:
            await problem_response(request, AUDIT_UNAVAILABLE)(scope, receive, send)
        except Exception:
            await self._record(asked, request, None)
            raise

    async def _record(self, asked: Asked, request: Request, status: int | None) -> None:
        if asked.recorded or "Authorization" not in request.headers:
            return
        asked.recorded = True
        entry = self._entry(asked, request, status)
        is_read = request.method in READS
        if status is not None and status < REFUSED_FROM and is_read:
            await self._trail.record(entry)
        else:
            self._trail.note(entry)

    def _entry(self, asked: Asked, request: Request, status: int | None) -> AuditRecord:
        principal: Principal | None = getattr(request.state, "principal", None)
        named = children_of([str(request.path_params.get("child_id", ""))])
        return AuditRecord(
            at=self._clock(),
            subject=principal.on_record if principal else "",
            role=principal.role.value if principal else "",
            operation=asked.operation or _operation(request),
            outcome=_outcome(request, status),
            address=asked.address,
            correlation_id=str(getattr(request.state, "correlation_id", "")),
            children=asked.children or named,
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
