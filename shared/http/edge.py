"""The edge of every HTTP application: what stands around its routes, in one order."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Security
from prometheus_client import CollectorRegistry
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.audit.record import AuditTrail
from shared.clock import Clock, NewId, new_id, utc_now
from shared.http.admission import Admission, Requests
from shared.http.audit_edge import AuditEdge
from shared.http.connection_room import ConnectionRoom
from shared.http.limits import Standing
from shared.http.openapi import extend_document, install_documentation
from shared.http.problems import ON_EVERY_ANSWER, problem_response
from shared.http.request_checks import refusal_of
from shared.http.request_context import (
    CORRELATION,
    correlate,
    describe_correlation,
    with_callers_address,
)
from shared.http.serving import Readiness, operations_router
from shared.http.settings import Bounds, Exposure

PREFIX = "/v1"
SECURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""So that no browser does more with an answer than show it."""

NOT_KEPT = {"Cache-Control": "no-store"}
"""Unless a route says that its answer may be kept."""

OVER_TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Around:
    """What an API's edge asks of its process. `clock`, `new_id`: of audit records and requests."""

    trail: AuditTrail
    readiness: Readiness
    registry: CollectorRegistry
    bounds: Bounds
    exposure: Exposure
    clock: Clock = utc_now
    new_id: NewId = new_id


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
        redirect_slashes=False,  # a redirect goes to whatever `Host` says, and takes the body along
    )
    for router in routers:
        app.include_router(router, prefix=PREFIX, dependencies=[Security(caller)])
    return app


def install_edge(app: FastAPI, around: Around) -> None:
    """Around the routes, problems and links that `app` has; what is installed last sees a request
    first."""
    bounds, registry, exposure = around.bounds, around.registry, around.exposure
    app.include_router(operations_router(around.readiness, registry))
    app.add_middleware(AuditEdge, trail=around.trail, clock=around.clock, prefix=PREFIX)
    app.add_middleware(Admission, prefix=PREFIX, requests=Requests(bounds, registry))
    install_hardening(app, exposure, around.new_id)
    app.state.connection_room = ConnectionRoom(bounds, exposure.trusted_proxies, registry)


def install_hardening(app: FastAPI, exposure: Exposure, new_id: NewId | None = None) -> None:
    """The outermost wrapper alone, for a process that has no API. To be called last. `new_id`:
    every request has an id, and the document says so."""
    if exposure.documentation:
        install_documentation(app)
    app.add_middleware(HardenedEdge, exposure=exposure, new_id=new_id)
    if new_id is not None:
        extend_document(app, describe_correlation)


class HardenedEdge:
    """The outermost wrapper: finds out which request this is and whose, refuses what no honest
    client sends, and completes the headers of every answer, refusals too."""

    def __init__(self, app: ASGIApp, exposure: Exposure, new_id: NewId | None) -> None:
        self._app = app
        self._trusted = exposure.trusted_proxies
        self._new_id = new_id
        self._headers = SECURE_HEADERS | NOT_KEPT | (OVER_TLS_ONLY if exposure.behind_tls else {})
        self._encoded = [(k.lower().encode(), v.encode()) for k, v in self._headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})  # shared with every scope that is made of this one
        state[ON_EVERY_ANSWER] = self._headers
        correlation_id = None if self._new_id is None else correlate(scope, self._new_id)
        scope = with_callers_address(scope, self._trusted)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._complete(message, state.get("standing"), correlation_id)
            await send(message)

        refusal = refusal_of(scope)
        app = self._app if refusal is None else problem_response(Request(scope), refusal)
        if scope["method"] == "HEAD":
            await answer_head(app, scope, receive, answer)
        else:
            await app(scope, receive, answer)

    def _complete(
        self, message: Message, standing: Standing | None, correlation_id: str | None
    ) -> None:
        """Secure headers where the answer does not say them itself, the request's id, and where its
        caller stands, once that was counted."""
        said = {name for name, _ in message["headers"]}
        missing = ((name, value) for name, value in self._encoded if name not in said)
        message["headers"] = [*message["headers"], *missing]
        headers = MutableHeaders(scope=message)
        if standing is not None:
            headers.update(standing.headers)
        if correlation_id is not None:
            headers[CORRELATION] = correlation_id


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
