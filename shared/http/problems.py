"""RFC 9457 problem details: the one shape of every error of both APIs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from shared.field_wording import wording_of
from shared.http.request_context import CORRELATION, correlation_id_of

MEDIA_TYPE = "application/problem+json"
METHOD_NOT_ALLOWED = 405
PLACES = ("body", "query", "path", "header")  # where FastAPI says that a field is

UNKNOWN_PARAMETER = "unknown parameter"

COME_AGAIN = (429, 503)
"""Statuses that always say when to come again."""

RETRY_AFTER: dict[str, Any] = {
    "Retry-After": {
        "description": "Seconds after which the same request may succeed.",
        "schema": {"type": "integer", "minimum": 0},
    }
}
"""As OpenAPI documents it."""

EDGE_STATUSES = (400, 414, 415, 422, 431)
"""What any request may be answered before its route is reached."""

ON_EVERY_ANSWER = "on_every_answer"
"""In the state of a request: the headers that the edge adds to its answer."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field: its limit and what to do, never the value that was given."""

    field: str
    message: str
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as the caller sees it. `code` is stable, ends its `type`; `more`: own members."""

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[FieldProblem] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


class ProblemRaised(Exception):
    """Raised at the edge where a problem is known at once, e.g. a missing bearer token."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


class FieldProblemBody(BaseModel):
    field: str = Field(
        description="Where it is: a field of the body, a parameter, a header, or part of the path.",
        examples=["age"],
    )
    message: str = Field(
        description="What is wrong with it, without its value; follows the field name.",
        examples=["must be between 3 and 12"],
    )
    limit: str | None = Field(None, description="What is allowed.", examples=["3..12"])


class ProblemBody(BaseModel):
    """The documented body of every error response (RFC 9457)."""

    type: str = Field(
        description="A URN that identifies the problem type; it cannot be dereferenced.",
        examples=["urn:teddy:problem:invalid-request"],
    )
    title: str = Field(description="A summary, the same for every problem with this code.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="An explanation of this occurrence, and what to do.")
    instance: str = Field(description="The requested path.")
    code: str = Field(description="Stable, for programs; the last part of `type`.")
    correlation_id: str = Field(
        description="The correlation id of the request, as in logs and the audit trail."
    )
    errors: list[FieldProblemBody] | None = Field(
        None, description="All invalid fields, if the problem is about fields."
    )


ProblemTable = Mapping[type[Exception], Callable[[Any], Problem]]
"""A service's one table from its errors (and their subclasses) to problems."""


def install_problems(app: FastAPI, table: ProblemTable) -> None:
    """Answer every error of `app`, also the framework's own, with a problem document."""
    for kind, to_problem in _complete(table).items():
        app.add_exception_handler(kind, _answering(to_problem))


def _complete(table: ProblemTable) -> ProblemTable:
    return {
        HTTPException: _refused_by_framework,
        RequestValidationError: _invalid_request,
        ProblemRaised: lambda error: error.problem,
        **table,
        Exception: _internal,
    }


def problem_of_error(error: Exception, table: ProblemTable) -> Problem:
    """As an application with `table` answers `error`: by the nearest of its classes."""
    complete = _complete(table)
    return next(complete[kind] for kind in type(error).__mro__ if kind in complete)(error)


def _answering(
    to_problem: Callable[[Any], Problem],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        problem = to_problem(error)
        if problem.status == METHOD_NOT_ALLOWED:
            allowed = allowed_methods(request.app, request.scope["path"])
            problem = replace(problem, headers={**problem.headers, "Allow": allowed})
        return problem_response(request, problem)

    return answer


def problem_response(request: Request, problem: Problem) -> Response:
    request.state.problem = problem.code
    body = document_of(problem, request.scope["path"], correlation_id_of(request))
    # said here too: the answer to an unforeseen error passes no middleware on its way out
    headers = {
        **getattr(request.state, ON_EVERY_ANSWER, {}),
        CORRELATION: body["correlation_id"],
        **problem.headers,
    }
    return Response(orjson.dumps(body), problem.status, headers, media_type=MEDIA_TYPE)


def document_of(problem: Problem, instance: str = "", correlation_id: str = "") -> dict[str, Any]:
    """As ProblemBody describes it."""
    document: dict[str, Any] = {
        "type": f"urn:teddy:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "code": problem.code,
        "correlation_id": correlation_id,
        **problem.more,
    }
    if problem.errors:
        document["errors"] = [
            {"field": e.field, "message": e.message} | ({"limit": e.limit} if e.limit else {})
            for e in problem.errors
        ]
    return document


TOO_MANY = "Too many requests from this caller; retry after the seconds in Retry-After."


def too_many_requests(retry_after_seconds: int, detail: str = TOO_MANY) -> Problem:
    headers = {"Retry-After": str(retry_after_seconds)}
    return Problem(429, "too-many-requests", "Too many requests", detail, headers=headers)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer these error statuses, and those of every edge."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    every = sorted({*EDGE_STATUSES, *statuses})
    described = {status: {"model": ProblemBody, "content": content} for status in every}
    return {
        status: {**response, "headers": RETRY_AFTER} if status in COME_AGAIN else response
        for status, response in described.items()
    }


def _internal(error: Exception) -> Problem:
    log.error("request_failed", error=type(error).__name__, exc_info=error)
    return Problem(
        500, "internal-error", "Internal error", "The request failed because of an internal error."
    )


def _refused_by_framework(error: HTTPException) -> Problem:
    code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
    title = {404: "No such resource", 405: "Method not allowed"}.get(
        error.status_code, "Request refused"
    )
    headers = {name.title(): value for name, value in (error.headers or {}).items()}
    return Problem(error.status_code, code, title, f"{title}.", headers=headers)


def _invalid_request(error: RequestValidationError) -> Problem:
    errors = [_field_problem(e) for e in error.errors()]
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return Problem(400, "invalid-json", "Invalid JSON", "The body is not valid JSON.", errors)
    return invalid_request(
        "Fields are missing, unknown or of the wrong type; see `errors`.", *errors
    )


def malformed(detail: str, *errors: FieldProblem) -> Problem:
    return Problem(400, "malformed-request", "Malformed request", detail, errors)


def invalid_request(detail: str, *errors: FieldProblem) -> Problem:
    return Problem(422, "invalid-request", "Invalid request", detail, errors)


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    places = [str(place) for place in error["loc"]]
    if error["type"] == "json_invalid":
        return FieldProblem("body", f"not valid JSON at byte {places[-1]}")
    where = places.pop(0) if places and places[0] in PLACES else "body"
    field = ".".join(places) or where
    if error["type"] == "extra_forbidden" and where == "query":
        return FieldProblem(field, UNKNOWN_PARAMETER)
    wording = wording_of(error)
    return FieldProblem(field, wording.message, wording.limit)


def allowed_methods(app: FastAPI, path: str) -> str:
    """The value of `Allow` for `path`, e.g. `DELETE, GET, HEAD`."""
    methods: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.path and compile_path(route.path)[0].match(path):
            methods |= route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")  # by shared/http/edge.py
    return ", ".join(sorted(methods))
