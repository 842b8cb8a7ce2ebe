"""Headers that every answer carries, so that no browser does more with it than show it."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


NOT_KEPT = {"Cache-Control": "no-store"}
"""Unless a route says that its answer may be kept."""


OVER_TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


STATE = "secure_headers"


class SecureHeaders:
    """Adds what an answer does not say itself. `behind_tls`: clients reach this process by HTTPS
    only, and are told to remember it."""

    def __init__(self, app: ASGIApp, behind_tls: bool) -> None:
        self._app = app
        self._headers = SECURE_HEADERS | NOT_KEPT | (OVER_TLS_ONLY if behind_tls else {})
        self._encoded = [(k.lower().encode(), v.encode()) for k, v in self._headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})[STATE] = self._headers

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in self._encoded if name not in said),
                ]
            await send(message)

        await self._app(scope, receive, answer)


def install_secure_headers(app: FastAPI, *, behind_tls: bool) -> None:
    app.add_middleware(SecureHeaders, behind_tls=behind_tls)


def secure_headers_of(request: Request) -> Mapping[str, str]:
    """What the answer to `request` has to carry, for answers that pass no middleware."""
    headers: Mapping[str, str] = getattr(request.state, STATE, {})
    return headers
