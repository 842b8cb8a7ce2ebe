"""The one table from the command side's errors to problems."""

from collections.abc import Mapping

from command_service.bus.errors import (
    ChildBusy,
    ChildLoading,
    ConcurrentUpdate,
    Forbidden,
    IdempotencyKeyReused,
    KeyUnavailable,
    OperationRunning,
    ParentNotFound,
)
from command_service.child.errors import (
    AlreadyDeactivated,
    AlreadyRegistered,
    ChildDeactivatedError,
    ChildErasedError,
    ChildNotFound,
    CommandRefused,
    ConsentRequired,
    ConversationIdUsed,
    ConversationNotFound,
    ConversationNotOpen,
    DeviceIdTaken,
    InvalidCommand,
    NoChangeGiven,
    NotDeactivated,
    UdidTaken,
    ViolationAlreadyAssigned,
    ViolationAlreadyResolved,
    ViolationNotFound,
    ViolationNotResolved,
)
from shared.audit.record import AuditUnavailable
from shared.event_store.port import StoreUnavailable
from shared.http.exchange import AUDIT_UNAVAILABLE
from shared.http.problems import FieldProblem, Problem, ProblemTable

REFUSALS: Mapping[type[CommandRefused], tuple[int, str]] = {
    Forbidden: (403, "Not allowed"),
    ChildNotFound: (404, "No such child"),
    ParentNotFound: (404, "No such parent"),
    ViolationNotFound: (404, "No such safety violation"),
    ConversationNotFound: (404, "No such conversation"),
    AlreadyRegistered: (409, "Already registered"),
    UdidTaken: (409, "The bear belongs to another child"),
    DeviceIdTaken: (409, "The device id belongs to another child"),
    ChildDeactivatedError: (409, "The child is deactivated"),
    ConsentRequired: (409, "Parental consent is missing"),
    AlreadyDeactivated: (409, "Already deactivated"),
    NotDeactivated: (409, "Not deactivated"),
    ViolationAlreadyAssigned: (409, "Already assigned"),
    ViolationAlreadyResolved: (409, "Already resolved"),
    ViolationNotResolved: (409, "Not resolved"),
    ConversationNotOpen: (409, "The conversation has ended"),
    ConversationIdUsed: (409, "The conversation id was used before"),
    ConcurrentUpdate: (409, "Concurrent update"),
    OperationRunning: (409, "An operation of this kind is running"),
    ChildErasedError: (410, "The child was erased"),
    InvalidCommand: (422, "Invalid request"),
    NoChangeGiven: (422, "No change given"),
    IdempotencyKeyReused: (422, "The idempotency key was used before"),
    ChildBusy: (503, "Too many commands for this child"),
    ChildLoading: (503, "The child is being loaded"),
    KeyUnavailable: (503, "The child's key cannot be used"),
}
"""Status and title of every refusal; its code and detail are the error's own."""

FIELDS: Mapping[type[CommandRefused], tuple[str, str]] = {
    UdidTaken: ("udid", "one active child per bear"),
    DeviceIdTaken: ("device_id", "one active child per bear"),
    ConversationIdUsed: ("conversation_id", "one conversation per id"),
    IdempotencyKeyReused: ("Idempotency-Key", "one request per key"),
}
"""The field that is at fault, where it is one, and its limit."""

PASSING = (ConcurrentUpdate, ChildBusy, ChildLoading, KeyUnavailable)
"""What the same request, sent again, may well get past. Of all other refusals it would not."""

SOON = {"Retry-After": "1"}


def problem_of(refusal: CommandRefused) -> Problem:
    status, title = REFUSALS[type(refusal)]
    message = str(refusal)
    detail = f"{message[0].upper()}{message[1:]}.{_what_to_do(refusal)}"
    headers = SOON if isinstance(refusal, PASSING) else {}
    more = {"operation_id": refusal.operation_id} if isinstance(refusal, OperationRunning) else {}
    return Problem(status, refusal.code, title, detail, _fields(refusal, message), headers, more)


def _what_to_do(refusal: CommandRefused) -> str:
    if not isinstance(refusal, ConsentRequired):
        return ""
    if refusal.registering:
        return " Send it in the `consents` of this registration."
    return f" The parent gives it with PUT /v1/children/{{child_id}}/consents/{refusal.purpose}."


def _fields(refusal: CommandRefused, message: str) -> list[FieldProblem]:
    if isinstance(refusal, InvalidCommand):
        return [FieldProblem(each.field, each.message, each.limit) for each in refusal.errors]
    if isinstance(refusal, ConsentRequired) and refusal.registering:
        limit = f"one consent to {refusal.purpose.value}"
        return [FieldProblem("consents", message, limit)]
    at_fault = FIELDS.get(type(refusal))
    if at_fault is None:
        return []
    field, limit = at_fault
    return [FieldProblem(field, message, limit)]


def _unavailable(_: StoreUnavailable) -> Problem:
    detail = "The store did not confirm in time. Retry the request with the same idempotency key."
    return Problem(503, "store-unavailable", "Store unavailable", detail, headers=SOON)


PROBLEMS: ProblemTable = {
    CommandRefused: problem_of,
    StoreUnavailable: _unavailable,
    AuditUnavailable: lambda _: AUDIT_UNAVAILABLE,
}
