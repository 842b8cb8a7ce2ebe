"""RateLimit headers on every answer that was counted (draft-ietf-httpapi-ratelimit-headers-10)."""

from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem
from shared.rate_limits.rate_limits import Standing

DETAIL = "Too many requests of this caller; send this one again after the seconds of Retry-After."


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
