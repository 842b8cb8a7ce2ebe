"""A limit on request bodies, kept while they arrive: nothing larger is ever held in memory."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem, problem_response


class _TooLarge(Exception):
    """The body went past the limit while it was read."""


class BodyLimitMiddleware:
    """Answers 413 to a body of more than `max_bytes`, announced or not."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise _TooLarge
            return message

        try:
            await self._app(scope, limited, send)
        except _TooLarge:
            response = problem_response(Request(scope), self._problem())
            await response(scope, receive, send)

    def _problem(self) -> Problem:
        detail = f"A request body has at most {self._max_bytes} bytes."
        return Problem(413, "body-too-large", "Body too large", detail)


def install_body_limit(app: FastAPI, max_bytes: int) -> None:
    app.add_middleware(BodyLimitMiddleware, max_bytes=max_bytes)
