"""Read model `safety`: what is counted of a child's violations, and its alert policy, from its
first report or policy on."""

from typing import assert_never, cast

from projection_worker.projections.alerts import THRESHOLD, RaisedAlert, counting_after
from projection_worker.projections.rules import (
    MOST_LABELS,
    Happened,
    Rules,
    counted,
    counted_labels,
)
from shared.events.child import (
    AlertPolicy,
    AlertPolicyConfigured,
    SafetyViolationReported,
    Severity,
)
from shared.read_models.documents import AlertPolicyEntry, SafetyDocument

Folds = SafetyViolationReported | AlertPolicyConfigured
"""The events that change a child's `safety` document."""


def keys(event: Folds, _rules: Rules) -> tuple[str, ...]:
    """The ids of the documents that `event` changes."""
    return (event.child_id,)


def evolve(document: SafetyDocument | None, happened: Happened[Folds]) -> SafetyDocument:
    event = happened.event
    after = cast(SafetyDocument, {**(document or empty(event.child_id))})
    match event:
        case SafetyViolationReported():
            _report(after, event, happened.raised)
        case AlertPolicyConfigured():
            after["alert_policy"] = _policy_entry(event.policy)
        case _:
            assert_never(event)
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
