"""The one table from this service's errors to problem documents."""

from query_service.api.streams import TooManyStreams
from query_service.cache.gates import ReadModelLate
from query_service.queries.errors import (
    ChildDeadLettered,
    ChildNotFound,
    ParentNotFound,
    RequestRefused,
)
from query_service.scope import Forbidden
from shared.audit.trail import AuditUnavailable
from shared.event_store.port import StoreUnavailable
from shared.http.audit_edge import AUDIT_UNAVAILABLE
from shared.http.problems import FieldProblem, Problem, ProblemTable
from shared.http.rate_limit_headers import too_many_requests

SOON = {"Retry-After": "1"}
LATER = {"Retry-After": "60"}


def _request_refused(error: RequestRefused) -> Problem:
    errors = [FieldProblem(error.field, error.message, error.limit)]
    detail = f"{error.field}: {error.message}."
    return Problem(422, "invalid-request", "Invalid request", detail, errors)


def _forbidden(error: Forbidden) -> Problem:
    message = str(error)
    detail = f"{message[0].upper()}{message[1:]}."
    return Problem(403, "forbidden", "Not allowed", detail)


PROBLEMS: ProblemTable = {
    ChildNotFound: lambda _: Problem(
        404, "child-not-found", "No such child", "There is no such child for this caller."
    ),
    ChildDeadLettered: lambda _: Problem(
        503,
        "child-dead-lettered",
        "Nothing to show",
        "What happened to this child could not be processed; an operator has to redrive it.",
        headers=LATER,
    ),
    ParentNotFound: lambda _: Problem(
        404, "parent-not-found", "No such parent", "There is no such parent for this caller."
    ),
    Forbidden: _forbidden,
    RequestRefused: _request_refused,
    TooManyStreams: lambda _: too_many_requests(
        10, "This caller has too many live streams open; close one first."
    ),
    ReadModelLate: lambda _: Problem(
        503,
        "read-model-late",
        "Not visible yet",
        "The write of the consistency token is safe but not visible yet; ask again.",
        headers=SOON,
    ),
    AuditUnavailable: lambda _: AUDIT_UNAVAILABLE,
    StoreUnavailable: lambda _: Problem(
        503,
        "store-unavailable",
        "Store unavailable",
        "The read models cannot be read at the moment; ask again.",
        headers=SOON,
    ),
}
