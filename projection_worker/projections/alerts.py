"""Which alerts a reported violation raises, by the child's policy. Pure, so a replay repeats it.

`threshold`: the violation is at least as severe as the policy's threshold.
`count`: with it, `count` milder violations (medium or above, below the threshold) that no earlier
alert of this rule counted were reported within `window_hours`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.events.child import SafetyViolationAcknowledged, SafetyViolationReported, Severity
from shared.read_models.documents import AlertDocument, CountedViolation, SafetyDocument

THRESHOLD = "threshold"
COUNT = "count"
MOST_COUNTED = 99
"""One less than the highest count that a policy may have: more can never be needed."""
SECONDS_AN_HOUR = 3_600


Folds = SafetyViolationReported | SafetyViolationAcknowledged
"""The events that raise alerts, or say that somebody read them."""


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    rule: str
    channels: tuple[str, ...]


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
    earlier = sum(
        1
        for violation in before["counting"]
        if (event.at - violation["at"]).total_seconds() < window_seconds
        and _is_mild(Severity(violation["severity"]), threshold)
    )
    return (RaisedAlert(COUNT, channels),) if earlier + 1 >= policy["count"] else ()


def counting_after(
    before: SafetyDocument, event: SafetyViolationReported, raised: Sequence[RaisedAlert]
) -> list[CountedViolation]:
    """What the count rule counts from now on, given what `event` raised: nothing that an alert of
    its own, or one of the threshold, has told already."""
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
    """The alert, read if it told of that violation; the first time counts."""
    if alert["violation_id"] != event.violation_id or alert["acknowledged_at"] is not None:
        return alert
    return {**alert, "acknowledged_at": event.at}


def _is_mild(severity: Severity, threshold: Severity) -> bool:
    return Severity.MEDIUM.rank <= severity.rank < threshold.rank
