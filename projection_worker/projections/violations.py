"""Read model `violations`: one document a violation, from its first report on.

Whatever names a violation that was never reported makes none, and a second report of it leaves the
document as it is: both count for their child alone.
"""

from typing import assert_never, cast

from projection_worker.projections.rules import Happened, Rules
from shared.events.child import (
    SafetyViolationAcknowledged,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.read_models.documents import ViolationDocument

Folds = SafetyViolationReported | SafetyViolationResolved | SafetyViolationAcknowledged
"""The events that change a violation's document."""


def keys(event: Folds, _rules: Rules) -> tuple[str, ...]:
    """The ids of the documents that `event` changes."""
    return (_id(event.child_id, event.violation_id),)


def evolve(
    document: ViolationDocument | None, happened: Happened[Folds]
) -> ViolationDocument | None:
    """None as long as the violation has not been reported."""
    event = happened.event
    if isinstance(event, SafetyViolationReported):
        return document or _reported(event, happened)
    if document is None:
        return None
    after = cast(ViolationDocument, {**document})
    match event:
        case SafetyViolationResolved():
            after["resolved_at"] = event.at
            after["outcome"] = event.outcome.value
        case SafetyViolationAcknowledged():
            after["acknowledged_at"] = after["acknowledged_at"] or event.at
        case _:
            assert_never(event)
    return after


def _reported(event: SafetyViolationReported, happened: Happened[Folds]) -> ViolationDocument:
    return ViolationDocument(
        _id=happened.key,
        child_id=event.child_id,
        id=event.violation_id,
        type=event.violation_type,
        severity=event.severity.value,
        at=event.at,
        conversation_id=event.conversation_id,
        details=event.details.sealed if event.details else None,
        resolved_at=None,
        outcome=None,
        alerted=happened.raised[0].rule if happened.raised else None,
        acknowledged_at=None,
    )


def _id(child_id: str, violation_id: str) -> str:
    return f"{child_id}/{violation_id}"
