"""Read model `violations`: one document a violation, from its first report on.

Whatever names a violation that was never reported makes none, and a second report of it leaves the
document as it is: both count for their child alone.
"""

from typing import assert_never, cast

from projection_worker.projections.rules import Happened, Rules
from shared.events.child import (
    AlertPolicyConfigured,
    ChildDeactivated,
    ChildErased,
    ChildEvent,
    ChildProfileUpdated,
    ChildReactivated,
    ChildRegistered,
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
    SafetyViolationAcknowledged,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.read_models.documents import ViolationDocument


def keys(event: ChildEvent, _rules: Rules) -> tuple[str, ...]:
    """The ids of the documents that `event` changes."""
    match event:
        case SafetyViolationReported() | SafetyViolationResolved() | SafetyViolationAcknowledged():
            return (_id(event.child_id, event.violation_id),)
        case (
            ChildRegistered()
            | ChildProfileUpdated()
            | ConversationStarted()
            | MessageRecorded()
            | ConversationEnded()
            | AlertPolicyConfigured()
            | ChildDeactivated()
            | ChildReactivated()
            | ParentalConsentGiven()
            | ParentalConsentWithdrawn()
            | ChildErased()
        ):
            return ()
        case _:
            assert_never(event)


def evolve(document: ViolationDocument | None, happened: Happened) -> ViolationDocument | None:
    """None as long as the violation has not been reported."""
    event = happened.event
    if isinstance(event, SafetyViolationReported):
        return document or _reported(event, happened)
    if document is None:
        return None
    after = cast(ViolationDocument, {**document})
    if isinstance(event, SafetyViolationResolved):
        after["resolved_at"] = event.at
        after["outcome"] = event.outcome.value
    elif isinstance(event, SafetyViolationAcknowledged) and after["acknowledged_at"] is None:
        after["acknowledged_at"] = event.at
    return after


def _reported(event: SafetyViolationReported, happened: Happened) -> ViolationDocument:
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
