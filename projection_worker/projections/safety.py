"""Read model `safety`: what is counted of a child's violations, and its alert policy, from its
first report or policy on."""

from typing import assert_never, cast

from projection_worker.projections.alerts import THRESHOLD, RaisedAlert, counting_after
from projection_worker.projections.formulas import MOST_LABELS, counted, counted_labels
from projection_worker.projections.rules import Happened, Rules
from shared.events.child import (
    AlertPolicy,
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
    Severity,
)
from shared.read_models.documents import AlertPolicyEntry, SafetyDocument


def keys(event: ChildEvent, _rules: Rules) -> tuple[str, ...]:
    """The ids of the documents that `event` changes."""
    match event:
        case SafetyViolationReported() | AlertPolicyConfigured():
            return (event.child_id,)
        case (
            ChildRegistered()
            | ChildProfileUpdated()
            | ConversationStarted()
            | MessageRecorded()
            | ConversationEnded()
            | SafetyViolationResolved()
            | SafetyViolationAcknowledged()
            | ChildDeactivated()
            | ChildReactivated()
            | ParentalConsentGiven()
            | ParentalConsentWithdrawn()
            | ChildErased()
        ):
            return ()
        case _:
            assert_never(event)


def evolve(document: SafetyDocument | None, happened: Happened) -> SafetyDocument:
    event = happened.event
    after = cast(SafetyDocument, {**(document or empty(event.child_id))})
    if isinstance(event, SafetyViolationReported):
        _report(after, event, happened.raised)
    elif isinstance(event, AlertPolicyConfigured):
        after["alert_policy"] = _policy_entry(event.policy)
    return after


def _report(
    document: SafetyDocument, event: SafetyViolationReported, raised: tuple[RaisedAlert, ...]
) -> None:
    severe = event.severity.rank >= Severity.HIGH.rank
    at_once = any(alert.rule == THRESHOLD for alert in raised)
    document["counting"] = counting_after(document, event, raised)
    document["parent_notifications_sent"] += len(raised)
    document["total_violations"] += 1
    document["violations_by_severity"] = counted(
        document["violations_by_severity"], event.severity.value
    )
    document["violations_by_category"] = counted_labels(
        document["violations_by_category"], [event.violation_type], MOST_LABELS
    )
    document["high_severity_violations"] += severe
    document["told_late"] += severe and not at_once
    document["last_violation_at"] = event.at


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
        told_late=0,
        last_violation_at=None,
        counting=[],
        parent_notifications_sent=0,
    )
