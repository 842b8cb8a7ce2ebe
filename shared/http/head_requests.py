"""HEAD wherever GET is: the same status and headers, and no body (RFC 9110, section 9.3.2)."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
