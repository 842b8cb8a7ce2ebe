"""From request to query to answer: the same way for every route of the query API."""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from fastapi import Request
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import QueryParams
from starlette.responses import Response

from query_service.api.evidence import Evidence
from query_service.api.exports import Exports
from query_service.api.sql import Statements
from query_service.api.streams import Streams
from query_service.bus import Detail, QueryBus, QueryResult, Rendered
from query_service.cache.freshness import NoRoomToWait, ProjectedVersions, Waits
from query_service.cache.query_cache import QueryCache
from query_service.queries.query import Query, RequestRefused
from shared.audit.record import audit_as
from shared.auth.access import Principal
from shared.clock import iso
from shared.http.admission import admitted, slow_down
from shared.http.callers import Caller
from shared.http.direct_routes import DirectRoute, Sent
from shared.http.problems import problem_responses
from shared.http.request_checks import refuse_parameters
from shared.http.request_context import header_values
from shared.signing import ConsistencyTokens, SignatureRefused

TOKEN_HEADER = "Consistency-Token"  # noqa: S105 - a header's name
DEFAULT_WAIT_SECONDS = 2.0
REMEMBERED_QUERIES = 4_096
"""Of each route: what its path, without parameters, asks for."""

REMEMBERED_MOMENTS = 1_024

_READ_OWN_WRITES = (
    (TOKEN_HEADER, "From a command's answer: the query waits for that command's effect."),
    ("Prefer", "`wait=N`: maximum seconds to wait for it; default 2."),
)


def headers_taken(*described: tuple[str, str]) -> dict[str, Any]:
    """These request headers, and those of every query, for a route's `openapi_extra`."""
    return {
        "parameters": [
            {"name": name, "in": "header", "schema": {"type": "string"}, "description": description}
            for name, description in (*_READ_OWN_WRITES, *described)
        ]
    }


QUERY_HEADERS = headers_taken(("If-None-Match", "An `ETag`; 304 if the answer is unchanged."))
"""The request headers of a query that has one document for an answer."""

EXPORT_HEADERS = headers_taken(
    ("Accept-Encoding", "`gzip`: the lines are compressed while they are sent.")
)

FRESHNESS: dict[str, Any] = {
    "X-As-Of": {
        "description": "Everything stored until then is included in the answer, often more. "
        "Missing until a worker has reported it. It stops when the read "
        "models are no longer updated.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Age": {
        "description": "Seconds since the answer was read from the read models.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Cache-Status": {
        "description": "RFC 9211: hit or miss; `detail=change-feed-down` while no change notices "
        "are received, and answers are cached for a few seconds only; `detail=read-store-down` for "
        "an answer cached before the read store became unavailable.",
        "schema": {"type": "string"},
    },
}
"""The headers that say how old an answer is. They stand in no body: its `ETag` would change with
each second in which nothing happens."""

UNCHANGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": FRESHNESS},
    304: {
        "description": "The answer is unchanged since the `ETag` that the caller sent.",
        "headers": FRESHNESS,
    },
}
"""For the `responses` of every query."""

ABOUT_A_CHILD = {**UNCHANGED, **problem_responses(401, 403, 404, 429, 503)}
"""For the `responses` of a query about children."""

_TOKEN, _IF_NONE_MATCH = TOKEN_HEADER.lower().encode(), b"if-none-match"
_WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,6}(?:\.\d{1,3})?)')


@dataclass(frozen=True, slots=True)
class Edge:
    """What the routes need, at `app.state.edge`."""

    bus: QueryBus
    cache: QueryCache[Rendered]
    caller: Caller
    tokens: ConsistencyTokens
    versions: ProjectedVersions
    waits: Waits
    max_wait_seconds: float
    streams: Streams
    exports: Exports
    statements: Statements
    evidence: Evidence


def edge_of(request: Request) -> Edge:
    # by key: as an attribute of the state it is looked up three times as long
    edge: Edge = request.scope["app"].state["edge"]
    return edge


def principal_of(request: Request) -> Principal:
    """Who asks: `Edge.caller` verified it for the router, before the route is entered."""
    principal: Principal = request.scope["state"]["principal"]
    return principal


class QueryRoute(DirectRoute):
    """The endpoint is a function from path and parameters to a query. FastAPI validates by its
    signature what is asked for the first time; the rest of its way to a function would cost more
    than the answer from the cache."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        takes_parameters = bool(self.dependant.query_params)
        query_of = lru_cache(REMEMBERED_QUERIES)(self._query_of)

        async def handle(request: Request) -> Response:
            scope = request.scope
            if not takes_parameters:
                refuse_parameters(request)
            await edge_of(request).caller(request)
            ids, parameters = tuple(scope["path_params"].items()), scope["query_string"]
            # what is asked for may be a name: it is not remembered
            read = self._query_of if parameters else query_of
            return _response(request, await result_of(request, read(ids, parameters)))

        return handle

    def _query_of(self, ids: tuple[tuple[str, str], ...], parameters: bytes) -> Query:
        """Raises RequestValidationError, as FastAPI would."""
        given = QueryParams(parameters)
        path, wrong_ids = request_params_to_args(self.dependant.path_params, dict(ids))
        values, wrong = request_params_to_args(self.dependant.query_params, given)
        if wrong_ids or wrong:
            raise RequestValidationError([*wrong_ids, *wrong])
        query: Query = self.endpoint(**path, **values)
        return query


async def result_of(request: Request, query: Query) -> QueryResult:
    """What the bus answers, on record. Raises what the bus raises, and ReadModelLate."""
    sent = header_values(request.scope, _TOKEN)
    read_after = await _read_after(request, sent[0]) if sent else None
    result = await edge_of(request).bus.ask(query, principal_of(request), read_after)
    audit_as(type(query).__name__, result.rendered.on_record)
    return result


async def _read_after(request: Request, sent: str) -> float:
    """The moment from which reads see what the consistency token `sent` stands for."""
    edge = edge_of(request)
    try:
        token = edge.tokens.read(sent)
    except SignatureRefused:
        reason = "not a token of this system; send it unchanged or leave it out"
        raise RequestRefused(TOKEN_HEADER, reason) from None
    reached = await edge.versions.reached_since(token)
    if reached is not None:
        return reached
    asked = seconds_to_wait(",".join(request.headers.getlist("Prefer")))
    try:
        with edge.waits.one_of(principal_of(request)), admitted(request).waiting():
            return await edge.versions.wait(token, min(asked, edge.max_wait_seconds))
    except NoRoomToWait:
        slow_down(request.scope)
        raise


def _response(request: Request, result: QueryResult) -> Response:
    """The query's answer, or 304 when the caller has it."""
    rendered = result.rendered
    lines = [
        (b"etag", rendered.etag.encode()),
        (b"x-cache", b"hit" if result.cached else b"miss"),
        *_freshness_lines(result),
        # for the caller's own use, and only after asking here whether it still holds
        (b"cache-control", b"private, no-cache"),
    ]
    asked = header_values(request.scope, _IF_NONE_MATCH)
    if matches(asked[0] if asked else None, rendered.etag):
        return Sent(304, lines)
    lines += [
        (b"content-length", b"%d" % len(rendered.body)),
        (b"content-type", b"application/json"),
    ]
    return Sent(200, lines, rendered.body)


def freshness_of(result: QueryResult) -> dict[str, str]:
    """The headers of FRESHNESS, as far as they are known."""
    return {name.decode(): value.decode() for name, value in _freshness_lines(result)}


def _freshness_lines(result: QueryResult) -> list[tuple[bytes, bytes]]:
    lines = [
        (b"age", b"%d" % result.age),
        (b"cache-status", _status(result.cached, result.detail)),
    ]
    as_of = result.rendered.as_of
    return lines if as_of is None else [(b"x-as-of", _moment(as_of)), *lines]


@cache
def _status(cached: bool, detail: Detail | None) -> bytes:
    status = f"teddy-query; {'hit' if cached else 'fwd=miss'}"
    return (status if detail is None else f"{status}; detail={detail}").encode()


@lru_cache(REMEMBERED_MOMENTS)
def _moment(as_of: datetime) -> bytes:
    """One is that of many answers."""
    return iso(as_of).encode()


def seconds_to_wait(prefer: str) -> float:
    """What `Prefer: wait=N` asks for (RFC 7240), or the usual."""
    preferred = _WAIT.search(prefer)
    return float(preferred.group(1)) if preferred else DEFAULT_WAIT_SECONDS


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names the answer of this `etag`, or any."""
    if if_none_match is None:
        return False
    offered = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", etag) for tag in offered)
