"""Read model `safety`: a child's violations and alert policy, from its first safety event on."""

from typing import assert_never, cast

from shared.events.child import (
    AlertPolicy,
    AlertPolicyConfigured,
    ChildDeactivated,
    ChildErased,
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
    Severity,
)
from shared.read_models.documents import AlertPolicyEntry, SafetyDocument, ViolationEntry
from tests.support.former_folds.alerts import alerts_of, counting_after
from tests.support.former_folds.events import FormerEvent
from tests.support.former_folds.formulas import counted


def key(event: FormerEvent) -> str | None:
    """The id of the document that `event` changes, if it changes one."""
    match event:
        case (
            SafetyViolationReported()
            | SafetyViolationResolved()
            | SafetyViolationAcknowledged()
            | AlertPolicyConfigured()
        ):
            return event.child_id
        case (
            ChildRegistered()
            | ChildProfileUpdated()
            | ConversationStarted()
            | MessageRecorded()
            | ConversationEnded()
            | ChildDeactivated()
            | ChildReactivated()
            | ParentalConsentGiven()
            | ParentalConsentWithdrawn()
            | ChildErased()
        ):
            return None
        case _:
            assert_never(event)


def evolve(document: SafetyDocument | None, event: FormerEvent) -> SafetyDocument:
    after = cast(SafetyDocument, {**(document or empty(event.child_id))})
    if isinstance(event, SafetyViolationReported):
        _report(after, event)
    elif isinstance(event, SafetyViolationResolved):
        after["violations"] = [_resolved(entry, event) for entry in after["violations"]]
    elif isinstance(event, SafetyViolationAcknowledged):
        after["violations"] = [_acknowledged(entry, event) for entry in after["violations"]]
    elif isinstance(event, AlertPolicyConfigured):
        after["alert_policy"] = _policy_entry(event.policy)
    return after


def _report(document: SafetyDocument, event: SafetyViolationReported) -> None:
    severity = event.severity.value
    raised = alerts_of(document, event)
    document["counting"] = counting_after(document, event, raised)
    document["parent_notifications_sent"] += len(raised)
    document["total_violations"] += 1
    document["violations_by_severity"] = counted(document["violations_by_severity"], severity)
    document["violations_by_category"] = counted(
        document["violations_by_category"], event.violation_type
    )
    document["high_severity_violations"] += event.severity.rank >= Severity.HIGH.rank
    document["last_violation_at"] = event.at
    entry = ViolationEntry(
        id=event.violation_id,
        type=event.violation_type,
        severity=severity,
        at=event.at,
        conversation_id=event.conversation_id,
        details=event.details.sealed if event.details else None,
        resolved_at=None,
        outcome=None,
        alerted=raised[0].rule if raised else None,
        acknowledged_at=None,
    )
    document["violations"] = [*document["violations"], entry]


def _resolved(entry: ViolationEntry, event: SafetyViolationResolved) -> ViolationEntry:
    if entry["id"] != event.violation_id:
        return entry
    return cast(ViolationEntry, {**entry, "resolved_at": event.at, "outcome": event.outcome.value})


def _acknowledged(entry: ViolationEntry, event: SafetyViolationAcknowledged) -> ViolationEntry:
    if entry["id"] != event.violation_id or entry["acknowledged_at"] is not None:
        return entry
    return cast(ViolationEntry, {**entry, "acknowledged_at": event.at})


def _policy_entry(policy: AlertPolicy) -> AlertPolicyEntry:
    return AlertPolicyEntry(
        threshold=policy.threshold.value,
        count=policy.count,
        window_hours=policy.window_hours,
        channels=[channel.value for channel in policy.channels],
    )


def empty(child_id: str) -> SafetyDocument:
    """What holds before the first safety event: the default policy, nothing reported."""
    return SafetyDocument(
        _id=child_id,
        alert_policy=_policy_entry(AlertPolicy()),
        total_violations=0,
        violations_by_severity={},
        violations_by_category={},
        high_severity_violations=0,
        last_violation_at=None,
        violations=[],
        counting=[],
        parent_notifications_sent=0,
    )
