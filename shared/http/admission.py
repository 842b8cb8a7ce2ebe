"""At most so many requests at a time: who comes too many hears 503 at once, and nothing queues."""

from contextlib import ExitStack

from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry, Counter, Gauge
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem, problem_response
from shared.http.stopping import is_stopping

EVENT_STREAM = b"text/event-stream"

SOON = {"Retry-After": "1"}
OVERLOADED = Problem(
    503, "overloaded", "Overloaded", "Too much at a time here; send the request again.", (), SOON
)
SHUTTING_DOWN = Problem(
    503, "shutting-down", "Shutting down", "This process ends; send the request again.", (), SOON
)


class Admission:
    """Lets at most `limit` requests whose path starts with `prefix` into the application.

    The others cost next to nothing: neither their token nor their body is looked at. An event
    stream has a place until it is open; other bounds hold for how many are.
    """

    def __init__(self, app: ASGIApp, prefix: str, limit: int, registry: CollectorRegistry) -> None:
        self._app = app
        self._prefix = prefix
        self._limit = limit
        self._in_flight = 0
        gauge = Gauge("teddy_requests_in_flight", "Requests worked on.", registry=registry)
        gauge.set_function(lambda: self._in_flight)
        self._refused = Counter(
            "teddy_requests_refused", "Requests refused unread.", ("code",), registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            self._refused.labels(refusal.code).inc()
            await problem_response(Request(scope), refusal)(scope, receive, send)
            return
        with ExitStack() as place:
            self._in_flight += 1
            place.callback(self._leave)

            async def leaving_once_open(message: Message) -> None:
                if _opens_a_stream(message):
                    place.close()
                await send(message)

            await self._app(scope, receive, leaving_once_open)

    def _leave(self) -> None:
        self._in_flight -= 1

    def _refusal(self, scope: Scope) -> Problem | None:
        if is_stopping(scope["app"]):
            return SHUTTING_DOWN
        return OVERLOADED if self._in_flight >= self._limit else None


def _opens_a_stream(message: Message) -> bool:
    return message["type"] == "http.response.start" and any(
        name == b"content-type" and value.startswith(EVENT_STREAM)
        for name, value in message["headers"]
    )


def install_admission(app: FastAPI, prefix: str, limit: int, registry: CollectorRegistry) -> None:
    app.add_middleware(Admission, prefix=prefix, limit=limit, registry=registry)
