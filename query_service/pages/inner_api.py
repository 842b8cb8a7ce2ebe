"""The query API as the pages ask it: within the process, and in no other way than from outside.

So a page can show nothing that the API would not answer its reader: authorization, the audit trail,
limits and freshness are the API's own.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.client.calls import TOKEN_HEADER, path_of

OK = 200
COPIED = frozenset({b"host", b"x-forwarded-for", b"correlation-id", b"traceparent"})
"""Headers of the page's request that the API's has, too: who asks, and under which id."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """`content`: the JSON of the answer, a problem document where it is an error."""

    status: int
    headers: Mapping[str, str]
    content: Any

    @property
    def is_refusal(self) -> bool:
        return self.status != OK

    @property
    def code(self) -> str:
        """Of the problem; empty where there is none."""
        return str(self.content.get("code", "")) if self.is_refusal else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page needs of the API."""

    path: str
    parameters: Mapping[str, str]


def asked(*segments: str, **parameters: str | None) -> Asked:
    given = {name: value for name, value in parameters.items() if value is not None}
    return Asked(path_of(*segments), given)


class InnerApi:
    """`app`: the API with all that stands around its routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def get(
        self, request: Request, token: str, wanted: Asked, seen: str | None = None
    ) -> ApiAnswer:
        """What the API answers the holder of `token`. `seen`: a consistency token; what it stands
        for is in the answer unless that would take too long."""
        scope = _scope(request.scope, token, wanted, seen)
        answer = Collected()
        await self._app(scope, _nothing, answer.take)
        collected = answer.collected()
        if seen is not None and collected.code == "read-model-late":
            return await self.get(request, token, wanted)
        return collected

    async def stream(
        self, request: Request, token: str, wanted: Asked, receive: Receive, send: Send
    ) -> None:
        """Pass on what the API answers, while it does."""
        await self._app(_scope(request.scope, token, wanted, None), receive, send)


def _scope(outer: Scope, token: str, wanted: Asked, seen: str | None) -> Scope:
    headers = [line for line in outer["headers"] if line[0] in COPIED]
    headers.append((b"authorization", f"Bearer {token}".encode()))
    if seen is not None:
        headers.append((TOKEN_HEADER.lower().encode(), seen.encode()))
    return {
        **outer,
        "method": "GET",
        "path": wanted.path,
        "raw_path": wanted.path.encode(),
        "query_string": urlencode(wanted.parameters).encode(),
        "headers": headers,
        "state": {},
        "path_params": {},
    }


async def _nothing() -> Message:
    """No body, and a caller who waits for the answer."""
    await asyncio.sleep(0)
    return {"type": "http.request", "body": b"", "more_body": False}


class Collected:
    def __init__(self) -> None:
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self._body += message.get("body", b"")

    def collected(self) -> ApiAnswer:
        return ApiAnswer(self._status, self._headers, orjson.loads(bytes(self._body)))
