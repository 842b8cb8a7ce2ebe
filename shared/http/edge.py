"""The edge of every HTTP application: what stands around its routes, in one order."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Security
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.audit.record import AuditedRequest, AuditTrail, under_way
from shared.clock import Clock, NewId, new_id, utc_now
from shared.http.admission import Admitted, Requests
from shared.http.connection_room import ConnectionRoom
from shared.http.direct_routes import DirectRoutes, Sent, answer_of
from shared.http.exchange import (
    AUDIT_UNAVAILABLE,
    CORRELATION_LINE,
    Exchange,
    Records,
    Unrecorded,
)
from shared.http.openapi import extend_document, install_documentation
from shared.http.problems import ON_EVERY_ANSWER, problem_response
from shared.http.recent_requests import RecentRequests
from shared.http.request_checks import refusal_of
from shared.http.request_context import (
    correlate,
    describe_correlation,
    site_of,
    with_callers_address,
)
from shared.http.secure_headers import NOT_KEPT, OVER_TLS_ONLY, SECURE_HEADERS
from shared.http.serving import Readiness, operations_router
from shared.http.settings import Bounds, Exposure

PREFIX = "/v1"
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""The framework's own: its log records would carry messages of errors, which may repeat what was
sent; and whether it is on would be looked up for each request."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Around:
    """What an API's edge asks of its process. `clock`, `new_id`: of audit records and requests.
    `recent`: counts what was answered."""

    trail: AuditTrail
    readiness: Readiness
    registry: CollectorRegistry
    bounds: Bounds
    exposure: Exposure
    clock: Clock = utc_now
    new_id: NewId = new_id
    recent: RecentRequests = field(default_factory=RecentRequests)


def new_api(
    title: str,
    description: str,
    routers: Sequence[APIRouter],
    caller: Callable[..., Any],
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """An application with these routes. They verify the caller themselves; here it is named for the
    documentation."""
    app = FastAPI(
        title=title,
        version="1",
        description=description,
        lifespan=lifespan,
        openapi_url=None,
        telemetry=NO_TELEMETRY,
        redirect_slashes=False,  # a redirect goes to whatever `Host` says, and takes the body along
    )
    for router in routers:
        app.include_router(router, prefix=PREFIX, dependencies=[Security(caller)])
    return app


def install_edge(app: FastAPI, around: Around) -> None:
    """Around the routes, problems and links that `app` has."""
    bounds, registry, exposure = around.bounds, around.registry, around.exposure
    app.include_router(operations_router(around.readiness, registry))
    records = Records(around.trail, around.clock)
    guarded = Guarded(app, PREFIX, Requests(bounds, registry), records, around.recent)
    _install(app, exposure, around.new_id, guarded)
    app.state.recent_requests = around.recent
    app.state.connection_room = ConnectionRoom(bounds, exposure.trusted_proxies, registry)


def install_hardening(app: FastAPI, exposure: Exposure, new_id: NewId | None = None) -> None:
    """The edge of a process that has no API. To be called last. `new_id`: every request has an id,
    and the document says so."""
    _install(app, exposure, new_id, None)


@dataclass(frozen=True, slots=True)
class Guarded:
    """What stands around the routes of `app` below `prefix` in addition: bounds, a record and
    counts."""

    app: FastAPI
    prefix: str
    requests: Requests
    records: Records
    recent: RecentRequests


def _install(
    app: FastAPI, exposure: Exposure, new_id: NewId | None, guarded: Guarded | None
) -> None:
    app.state.stopping = False
    if exposure.documentation:
        install_documentation(app)
    app.add_middleware(Edge, exposure=exposure, new_id=new_id, guarded=guarded)
    if new_id is not None:
        extend_document(app, describe_correlation)


class Edge:
    """The one wrapper: finds out which request this is and whose, refuses what no honest client
    sends and what there is no room for, puts each answer on record, and completes the headers of
    all, refusals too.

    One and not a chain of them: each link would wrap what sends the answer, and look for the same
    headers again: docs/decisions/037-one-flat-edge.md.
    """

    def __init__(
        self, app: ASGIApp, exposure: Exposure, new_id: NewId | None, guarded: Guarded | None
    ) -> None:
        self._app = app
        self._trusted = exposure.trusted_proxies
        self._new_id = new_id
        self._guarded = guarded
        self._direct = None if guarded is None else DirectRoutes(guarded.app)
        self._headers = SECURE_HEADERS | NOT_KEPT | (OVER_TLS_ONLY if exposure.behind_tls else {})
        self._encoded = [(k.lower().encode(), v.encode()) for k, v in self._headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})  # shared with every scope that is made of this one
        if scope["method"] == "HEAD":
            await answer_head(self._answer, scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][ON_EVERY_ANSWER] = self._headers
        always = self._encoded
        if self._new_id is not None:
            always = [*always, (CORRELATION_LINE, correlate(scope, self._new_id).encode())]
        scope = with_callers_address(scope, self._trusted)
        guarded = self._guarded
        if guarded is not None and not scope["path"].startswith(guarded.prefix):
            guarded = None
        exchange = Exchange(scope, send, always, None if guarded is None else guarded.recent)
        refusal = refusal_of(scope)
        if refusal is not None:
            await problem_response(Request(scope), refusal)(scope, receive, exchange.send)
        elif guarded is not None:
            await self._guard(guarded, exchange, receive)
        else:
            await self._app(scope, receive, exchange.send)

    async def _guard(self, guarded: Guarded, exchange: Exchange, receive: Receive) -> None:
        """Within the bounds. Who finds no room costs next to nothing: neither the token nor the
        body is looked at, and nothing is recorded."""
        scope = exchange.scope
        client = scope["client"][0] if scope.get("client") else ""
        address = site_of(client)
        refusal = guarded.requests.refusal(scope, address)
        if refusal is not None:
            await problem_response(Request(scope), refusal)(scope, receive, exchange.send)
            return
        admitted = scope["state"]["admitted"] = Admitted(guarded.requests, address)
        known = AuditedRequest(address=client)
        exchange.let_in(admitted, known, guarded.records)
        token = under_way.set(known)
        try:
            await self._route(exchange, receive)
        except Unrecorded:
            unrecorded = problem_response(Request(scope), AUDIT_UNAVAILABLE)
            await unrecorded(scope, receive, exchange.send)
        except Exception:
            await exchange.failed()
            raise
        finally:
            under_way.reset(token)
            admitted.leave()

    async def _route(self, exchange: Exchange, receive: Receive) -> None:
        scope = exchange.scope
        target = None if self._direct is None else self._direct.find(scope)
        if target is None:
            await self._app(scope, receive, exchange.send)
            return
        response = await answer_of(target, scope, receive)
        if isinstance(response, Sent):
            await exchange.send_whole(response.status_code, response.raw_headers, response.body)
        else:
            await response(scope, receive, exchange.send)


class _EndOfHead(Exception):
    """All that a HEAD wants to know was sent, and the rest would follow for ever."""


async def answer_head(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """As `app` answers the GET, without the body.

    The routes see a GET, so that none can forget its HEAD. A body whose length is not known before
    is a stream: it is not opened at all.
    """

    async def without_body(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            if not _has_length(message):
                await send({"type": "http.response.body"})
                raise _EndOfHead
        elif not message.get("more_body", False):
            await send({"type": "http.response.body"})

    try:
        await app({**scope, "method": "GET"}, receive, without_body)
    except _EndOfHead:
        return


def _has_length(message: Message) -> bool:
    """Answers without content (204, 304) have none either, and end by themselves all the same."""
    without_content = message["status"] in (204, 304)
    return without_content or any(name == b"content-length" for name, _ in message["headers"])
