"""What reported violations come to: read models `safety` (what is counted of a child, and its alert
policy, from its first report or policy on), `violations` (one document a violation, from its first
report on) and `alerts`. Pure, so a replay repeats which alerts are raised.

Whatever names a violation that was never reported makes no document, and a second report of it
leaves the document as it is: both count for their child alone."""

from collections.abc import Sequence
from typing import assert_never, cast, get_args

from projection_worker.projections.rules import (
    MOST_LABELS,
    Happened,
    Projection,
    RaisedAlert,
    Rules,
    counted_labels,
)
from shared.events.child import (
    AlertPolicy,
    AlertPolicyConfigured,
    SafetyViolationAcknowledged,
    SafetyViolationAssigned,
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
)
from shared.read_models.documents import (
    AlertDocument,
    AlertPolicyEntry,
    CountedViolation,
    Model,
    SafetyDocument,
    ViolationDocument,
)

THRESHOLD = "threshold"
COUNT = "count"
MOST_COUNTED = 99
"""One less than the highest count that a policy may have: more can never be needed."""
SECONDS_AN_HOUR = 3_600


AlertEvent = SafetyViolationReported | SafetyViolationAcknowledged
"""The events that raise alerts, or say that somebody read them."""


def alerts_of(before: SafetyDocument, event: SafetyViolationReported) -> tuple[RaisedAlert, ...]:
    """The alerts that `event` raises, given the safety document before it."""
    policy = before["alert_policy"]
    channels = tuple(policy["channels"])
    threshold = Severity(policy["threshold"])
    if event.severity.rank >= threshold.rank:
        return (RaisedAlert(THRESHOLD, channels),)
    if not _is_mild(event.severity, threshold):
        return ()
    window_seconds = policy["window_hours"] * SECONDS_AN_HOUR
    earlier = [
        violation
        for violation in before["counting"]
        if (event.at - violation["at"]).total_seconds() < window_seconds
        and _is_mild(Severity(violation["severity"]), threshold)
    ]
    return (RaisedAlert(COUNT, channels),) if len(earlier) + 1 >= policy["count"] else ()


def counting_after(
    before: SafetyDocument, event: SafetyViolationReported, raised: Sequence[RaisedAlert]
) -> list[CountedViolation]:
    """What the count rule counts from now on, given what `event` raised: nothing that an alert of
    its own, or one of the threshold, was raised by already."""
    rules = {alert.rule for alert in raised}
    if COUNT in rules:
        return []
    if THRESHOLD in rules or event.severity.rank < Severity.MEDIUM.rank:
        return before["counting"]
    newest = CountedViolation(at=event.at, severity=event.severity.value)
    return [*before["counting"], newest][-MOST_COUNTED:]


def alert_document(
    raised: RaisedAlert, event: SafetyViolationReported, event_id: str, parent_id: str
) -> AlertDocument:
    """The alert as stored; its id follows from rule and event, so it is raised once, ever."""
    return AlertDocument(
        _id=f"{event_id}:{raised.rule}",
        child_id=event.child_id,
        parent_id=parent_id,
        rule=raised.rule,
        event_id=event_id,
        violation_id=event.violation_id,
        violation_type=event.violation_type,
        severity=event.severity.value,
        channels=list(raised.channels),
        raised_at=event.at,
        acknowledged_at=None,
        delivered={},
    )


def acknowledged(alert: AlertDocument, event: SafetyViolationAcknowledged) -> AlertDocument:
    """The alert, read if it is about that violation; the first time counts."""
    if alert["violation_id"] != event.violation_id or alert["acknowledged_at"] is not None:
        return alert
    return {**alert, "acknowledged_at": event.at}


def _is_mild(severity: Severity, threshold: Severity) -> bool:
    return Severity.MEDIUM.rank <= severity.rank < threshold.rank


SafetyEvent = SafetyViolationReported | AlertPolicyConfigured
"""The events that change a child's `safety` document."""


def _safety_after(
    document: SafetyDocument | None, happened: Happened[SafetyEvent]
) -> SafetyDocument:
    event = happened.event
    after = cast(SafetyDocument, {**(document or empty_safety(event.child_id))})
    match event:
        case SafetyViolationReported():
            _count_report(after, event, happened.raised)
        case AlertPolicyConfigured():
            after["alert_policy"] = _policy_entry(event.policy)
        case _:
            assert_never(event)
    return after


def _count_report(
    document: SafetyDocument, event: SafetyViolationReported, raised: tuple[RaisedAlert, ...]
) -> None:
    severe = event.severity.rank >= Severity.HIGH.rank
    at_once = THRESHOLD in [alert.rule for alert in raised]
    document["counting"] = counting_after(document, event, raised)
    document["parent_notifications_sent"] += len(raised)
    document["total_violations"] += 1
    document["violations_by_severity"] = counted_labels(
        document["violations_by_severity"], [event.severity.value], MOST_LABELS
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


def empty_safety(child_id: str) -> SafetyDocument:
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


ViolationEvent = (
    SafetyViolationReported
    | SafetyViolationResolved
    | SafetyViolationReopened
    | SafetyViolationAssigned
    | SafetyViolationAcknowledged
)
"""The events that change a violation's document."""


def _violation_of(event: ViolationEvent, _rules: Rules) -> tuple[str, ...]:
    return (f"{event.child_id}/{event.violation_id}",)


def _violation_after(
    document: ViolationDocument | None, happened: Happened[ViolationEvent]
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
            _say_who_and_why(after, event)
        case SafetyViolationReopened():
            after["resolved_at"] = after["outcome"] = after["resolved_by"] = None
            after["reason"] = event.reason.sealed
            after["reopenings"] = after.get("reopenings", 0) + 1
        case SafetyViolationAssigned():
            after["assignee"] = event.assignee
        case SafetyViolationAcknowledged():
            after["acknowledged_at"] = after["acknowledged_at"] or event.at
        case _:
            assert_never(event)
    return after


def _say_who_and_why(document: ViolationDocument, event: SafetyViolationResolved) -> None:
    """As events of earlier releases do not: their documents have no such fields."""
    if event.note is not None or "note" in document:
        document["note"] = None if event.note is None else event.note.sealed
    if event.resolved_by is not None or "resolved_by" in document:
        document["resolved_by"] = event.resolved_by


def _reported(
    event: SafetyViolationReported, happened: Happened[ViolationEvent]
) -> ViolationDocument:
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


SAFETY = Projection(
    Model.SAFETY, get_args(SafetyEvent), lambda event, _rules: (event.child_id,), _safety_after
)
VIOLATIONS = Projection(Model.VIOLATIONS, get_args(ViolationEvent), _violation_of, _violation_after)
ALERT_EVENTS = get_args(AlertEvent)
