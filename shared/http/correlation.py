"""Correlation: every request has an id that its events, logs and errors carry."""

import re

import structlog
from fastapi import FastAPI, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import NewId

HEADER = "Correlation-Id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class CorrelationMiddleware:
    """Takes the caller's `Correlation-Id` (8 to 64 of `A-Za-z0-9._-`) or makes one; answers it."""

    def __init__(self, app: ASGIApp, new_id: NewId) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        offered = headers.get(HEADER, "")
        correlation_id = offered if _ACCEPTED.fullmatch(offered) else self._new_id()
        state = scope.setdefault("state", {})
        state["correlation_id"] = correlation_id
        traceparent = headers.get("traceparent", "")
        state["traceparent"] = traceparent if _TRACEPARENT.fullmatch(traceparent) else None
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = correlation_id
            await send(message)

        await self._app(scope, receive, answer)


def install_correlation(app: FastAPI, new_id: NewId) -> None:
    app.add_middleware(CorrelationMiddleware, new_id=new_id)


def correlation_id_of(request: Request) -> str:
    return str(getattr(request.state, "correlation_id", ""))


def traceparent_of(request: Request) -> str | None:
    traceparent: str | None = getattr(request.state, "traceparent", None)
    return traceparent
