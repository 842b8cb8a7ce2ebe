"""The query API as the pages ask it: within the process, and in no other way than from outside.

So a page can show nothing that the API would not answer its reader: authorization, the audit trail,
limits and freshness are the API's own.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlencode

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.client.calls import TOKEN_HEADER, path_of
from shared.http.hanging_up import HANG_UP

OK = 200
JSON = "application/json"
PASSED_ON = (b"content-type", b"content-length", b"content-disposition", b"x-as-of", b"x-truncated")
"""Headers of the API's answer that go out with what it has answered."""

COPIED = frozenset({b"host", b"x-forwarded-for", b"correlation-id", b"traceparent"})
"""Headers of the page's request that the API's has, too: who asks, and under which id."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """`content`: the JSON of the answer, a problem document where it is an error."""

    status: int
    headers: Mapping[str, str]
    content: Any
    lacks_own: bool = False
    """What its reader wrote is not in it yet: it would have taken too long."""

    @property
    def is_refusal(self) -> bool:
        return self.status != OK

    @property
    def code(self) -> str:
        """Of the problem; empty where there is none."""
        return str(self.content.get("code", "")) if self.is_refusal else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page needs of the API. `body`: of a POST, JSON. `accept`: the format of the answer."""

    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    accept: str = JSON


def asked(*segments: str, **parameters: str | None) -> Asked:
    given = {name: value for name, value in parameters.items() if value is not None}
    return Asked(path_of(*segments), given)


def posted(*segments: str, accept: str = JSON, **fields: Any) -> Asked:
    """What is asked with a POST, which changes nothing either."""
    return Asked(path_of(*segments), body=orjson.dumps(fields), accept=accept)


class InnerApi:
    """`app`: the API with all that stands around its routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(
        self, request: Request, token: str, wanted: Asked, seen: str | None = None
    ) -> ApiAnswer:
        """What the API answers the holder of `token`, in JSON. `seen`: a consistency token; what it
        stands for is in the answer unless that would take too long."""
        scope = _scope(request.scope, token, wanted, seen)
        answer = _Collected()
        receive = _nothing if wanted.body is None else _body(request, wanted)
        await self._app(scope, receive, answer.take)
        collected = answer.collected()
        if seen is not None and collected.code == "read-model-late":
            return replace(await self.ask(request, token, wanted), lacks_own=True)
        return collected

    async def pass_on(
        self, request: Request, token: str, wanted: Asked, send: Send, headers: Mapping[str, str]
    ) -> ApiAnswer | None:
        """Send what the API answers, in whatever format, with `headers`, as fast as it is taken.
        Returns a refusal, of which nothing is sent."""
        scope = _scope(request.scope, token, wanted, None)
        scope["state"] = only_hang_up(request.scope)
        passed = _PassedOn(send, headers)
        await self._app(scope, _body(request, wanted), passed.take)
        return passed.refusal

    async def stream(
        self, request: Request, token: str, wanted: Asked, receive: Receive, send: Send
    ) -> None:
        """Pass on what the API answers, while it does."""
        await self._app(_scope(request.scope, token, wanted, None), receive, send)


def _scope(outer: Scope, token: str, wanted: Asked, seen: str | None) -> Scope:
    headers = [line for line in outer["headers"] if line[0] in COPIED]
    headers += [(b"authorization", f"Bearer {token}".encode()), (b"accept", wanted.accept.encode())]
    if seen is not None:
        headers.append((TOKEN_HEADER.lower().encode(), seen.encode()))
    if wanted.body is not None:
        length = str(len(wanted.body)).encode()
        headers += [(b"content-type", JSON.encode()), (b"content-length", length)]
    return {
        **outer,
        "method": "GET" if wanted.body is None else "POST",
        "path": unquote(wanted.path),
        "raw_path": wanted.path.encode(),
        "query_string": urlencode(wanted.parameters).encode(),
        "headers": headers,
        "state": {},
        "path_params": {},
    }


def only_hang_up(outer: Scope) -> dict[str, Any]:
    """Of what the server put into the request's state: how to disconnect a reader who takes
    nothing, and not how to answer, which is the page's."""
    state = outer.get("state", {})
    return {HANG_UP: state[HANG_UP]} if HANG_UP in state else {}


def _body(request: Request, wanted: Asked) -> Receive:
    """What the API receives: the body, then whatever the page's own client does, so that who leaves
    ends what was asked for."""
    left: Message = {"type": "http.request", "body": wanted.body or b"", "more_body": False}
    waiting = [left]

    async def receive() -> Message:
        return waiting.pop() if waiting else await request.receive()

    return receive


async def _nothing() -> Message:
    """No body, and a caller who waits for the answer."""
    await asyncio.sleep(0)
    return {"type": "http.request", "body": b"", "more_body": False}


class _Collected:
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


class _PassedOn:
    """`refusal`: what was answered instead; known at the end."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._refused: _Collected | None = None

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] == OK:
                kept = [line for line in message["headers"] if line[0] in PASSED_ON]
                await self._send({**message, "headers": [*kept, *self._headers]})
                return
            self._refused = _Collected()
        await (self._send if self._refused is None else self._refused.take)(message)

    @property
    def refusal(self) -> ApiAnswer | None:
        return None if self._refused is None else self._refused.collected()
