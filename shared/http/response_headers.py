"""RateLimit headers on every answer that was counted, and HEAD wherever GET is."""

from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem
from shared.http.rate_limits import Standing

DETAIL = "Too many requests from this caller; retry after the seconds in Retry-After."


def note_standing(request: Request, standing: Standing) -> None:
    """Have the answer to `request` tell it."""
    request.state.rate_limit = standing


def too_many_requests(retry_after_seconds: int, detail: str = DETAIL) -> Problem:
    headers = {"Retry-After": str(retry_after_seconds)}
    return Problem(429, "too-many-requests", "Too many requests", detail, headers=headers)


class RateLimitHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def answer(message: Message) -> None:
            standing: Standing | None = state.get("rate_limit")
            if standing is not None and message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_headers(standing))
            await send(message)

        await self._app(scope, receive, answer)


def install_rate_limit_headers(app: FastAPI) -> None:
    app.add_middleware(RateLimitHeaders)


def _headers(standing: Standing) -> dict[str, str]:
    name = standing.rate.value
    left = max(0, standing.remaining)
    return {
        "RateLimit-Policy": f'"{name}";q={standing.limit};w={standing.window_seconds}',
        "RateLimit": f'"{name}";r={left};t={standing.reset_seconds}',
    }


class _EndOfHead(Exception):
    """All that a HEAD wants to know was sent, and the rest would follow for ever."""


class HeadRequests:
    """Has the application answer a HEAD as it would answer the GET, and keeps the body back.

    The routes see a GET, so that none can forget its HEAD. A body whose length is not known before
    is a stream: it is not opened at all.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                if not _has_length(message):
                    await send({"type": "http.response.body"})
                    raise _EndOfHead
            elif not message.get("more_body", False):
                await send({"type": "http.response.body"})

        scope.setdefault("state", {})  # shared: whoever answers outside of this finds it filled
        try:
            await self._app({**scope, "method": "GET"}, receive, without_body)
        except _EndOfHead:
            return


def install_head_requests(app: FastAPI) -> None:
    app.add_middleware(HeadRequests)


def _has_length(message: Message) -> bool:
    """Answers without content (204, 304) have none either, and end by themselves all the same."""
    without_content = message["status"] in (204, 304)
    return without_content or any(name == b"content-length" for name, _ in message["headers"])
