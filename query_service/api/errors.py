"""The one table from this service's errors to problem documents."""

import math

from query_service.api.evidence import (
    EvidenceBeingMade,
    EvidenceNotSignedYet,
    EvidenceTooLong,
    ViolationNotFound,
)
from query_service.api.exports import ExportUnderWay, TooManyExports
from query_service.api.sql import ClientGone
from query_service.api.streams import TooManyStreams
from query_service.cache.freshness import ReadModelLate
from query_service.queries.query import RequestRefused
from query_service.queries.visible_children import (
    ChildDeadLettered,
    ChildNotFound,
    Forbidden,
    ParentNotFound,
)
from query_service.read_store.port import ReadStoreUnavailable
from query_service.sql.runner import SqlExceeded, SqlRefused, TooManyStatements
from query_service.sql.snapshots import SnapshotBeingMade
from shared.audit.port import TrailUnreadable
from shared.audit.record import AuditUnavailable
from shared.event_store.port import StoreUnavailable
from shared.http.exchange import AUDIT_UNAVAILABLE
from shared.http.problems import (
    FieldProblem,
    Problem,
    ProblemTable,
    invalid_request,
    too_many_requests,
)
from shared.keyring.key_store import KeyStoreUnavailable
from shared.keyring.keyring import UnknownKek

SOON = {"Retry-After": "1"}
A_LITTLE_LATER = {"Retry-After": "10"}
LATER = {"Retry-After": "60"}
A_SELECT = "one SELECT in DuckDB's dialect"
EXCEEDED = {
    "time": ("sql-too-long", "The statement takes too long"),
    "memory": ("sql-too-much-memory", "The statement needs too much memory"),
    "bytes": ("sql-too-large", "The answer is too large"),
}


def _request_refused(error: RequestRefused) -> Problem:
    problem = FieldProblem(error.field, error.message, error.limit)
    detail = f"{error.field}: {error.message}."
    return invalid_request(detail, problem)


def _forbidden(error: Forbidden) -> Problem:
    message = str(error)
    detail = f"{message[0].upper()}{message[1:]}."
    return Problem(403, "forbidden", "Not allowed", detail)


def _sql_refused(error: SqlRefused) -> Problem:
    place = {} if error.line is None else {"line": error.line, "column": error.column}
    field = FieldProblem("sql", f"must be {A_SELECT}", A_SELECT)
    return Problem(422, "sql-refused", "Statement refused", str(error), [field], more=place)


def _sql_exceeded(error: SqlExceeded) -> Problem:
    code, title = EXCEEDED[error.what]
    detail = f"{title}: it may have {error.most}. Ask for less, or for a part at a time."
    field = FieldProblem("sql", f"must be done with {error.most}", error.most)
    return Problem(422, code, title, detail, [field])


def _not_signed_yet(error: EvidenceNotSignedYet) -> Problem:
    detail = (
        f"No signed head of the audit trail covers the violation yet; one is signed every "
        f"{error.seconds:g} s. Retry the request."
    )
    headers = {"Retry-After": str(math.ceil(error.seconds))}
    return Problem(503, "evidence-not-signed-yet", "Not signed yet", detail, headers=headers)


def _too_long(error: EvidenceTooLong) -> Problem:
    detail = (
        f"Too much was recorded since the violation: {error}. An operator gets the file from the "
        "command line: teddy evidence export."
    )
    return Problem(503, "evidence-too-long", "Too much to read", detail, headers=LATER)


def _unavailable(what: str, detail: str) -> Problem:
    title = f"{what.replace('-', ' ').capitalize()} unavailable"
    return Problem(503, f"{what}-unavailable", title, detail, headers=SOON)


PROBLEMS: ProblemTable = {
    ChildNotFound: lambda _: Problem(
        404,
        "child-not-found",
        "No such child",
        "This child does not exist or is not accessible to the caller.",
    ),
    ChildDeadLettered: lambda _: Problem(
        503,
        "child-dead-lettered",
        "Nothing to show",
        "This child's events could not be projected; an operator has to redrive them.",
        headers=LATER,
    ),
    ParentNotFound: lambda _: Problem(
        404,
        "parent-not-found",
        "No such parent",
        "This parent does not exist or is not accessible to the caller.",
    ),
    Forbidden: _forbidden,
    RequestRefused: _request_refused,
    TooManyStreams: lambda _: too_many_requests(
        10, "This caller has too many live streams open; close one first."
    ),
    ExportUnderWay: lambda _: too_many_requests(
        30, "This caller already runs this export, or too many others; wait until one has ended."
    ),
    TooManyExports: lambda _: Problem(
        503,
        "overloaded",
        "Overloaded",
        "Too many concurrent exports; retry the request.",
        headers=A_LITTLE_LATER,
    ),
    ViolationNotFound: lambda _: Problem(
        404, "violation-not-found", "No such violation", "The child has no violation with this id."
    ),
    EvidenceNotSignedYet: _not_signed_yet,
    EvidenceTooLong: _too_long,
    EvidenceBeingMade: lambda _: Problem(
        503,
        "overloaded",
        "Overloaded",
        "Other evidence is being put together; retry the request.",
        headers=A_LITTLE_LATER,
    ),
    SqlRefused: _sql_refused,
    SqlExceeded: _sql_exceeded,
    TooManyStatements: lambda _: Problem(
        503,
        "overloaded",
        "Overloaded",
        "Too many concurrent SQL statements; retry the request.",
        headers=A_LITTLE_LATER,
    ),
    SnapshotBeingMade: lambda _: Problem(
        503,
        "sql-snapshot-being-made",
        "Snapshot being made",
        "The snapshot that statements read is being made; retry the request.",
        headers=A_LITTLE_LATER,
    ),
    # on the record only: nobody is there to read it
    ClientGone: lambda _: Problem(499, "client-gone", "Client gone", "The client has left."),
    ReadModelLate: lambda _: Problem(
        503,
        "read-model-late",
        "Not visible yet",
        "The write of the consistency token is stored but not visible yet; retry the request.",
        headers=SOON,
    ),
    AuditUnavailable: lambda _: AUDIT_UNAVAILABLE,
    TrailUnreadable: lambda _: _unavailable(
        "audit-trail", "The audit trail cannot be read at the moment; retry the request."
    ),
    ReadStoreUnavailable: lambda _: _unavailable(
        "read-store", "The read models are unavailable at the moment; retry the request."
    ),
    KeyStoreUnavailable: lambda _: _unavailable(
        "key-store", "The key store is unavailable at the moment; retry the request."
    ),
    UnknownKek: lambda _: _unavailable(
        "key",
        "The key that decrypts the answer is not available to this process yet; retry the request.",
    ),
    StoreUnavailable: lambda _: _unavailable(
        "event-store", "The event store is unavailable at the moment; retry the request."
    ),
}
