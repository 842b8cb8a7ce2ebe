"""Which alerts a reported violation raises, by the child's policy. Pure, so a replay repeats it.

`threshold`: the violation is at least as severe as the policy's threshold.
`count`: it completes another group of `count` milder violations (medium or above, below the
threshold) inside the window: the third, the sixth, ... of those in the last `window_hours`.
"""

from dataclasses import dataclass
from datetime import timedelta

from shared.events.child import SafetyViolationReported, Severity
from shared.read_models.documents import AlertDocument, SafetyDocument

THRESHOLD = "threshold"
COUNT = "count"


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    rule: str
    channels: tuple[str, ...]


def alerts_of(before: SafetyDocument, event: SafetyViolationReported) -> list[RaisedAlert]:
    """The alerts that `event` raises, given the safety document before it."""
    policy = before["alert_policy"]
    channels = tuple(policy["channels"])
    threshold = Severity(policy["threshold"])
    if event.severity.rank >= threshold.rank:
        return [RaisedAlert(THRESHOLD, channels)]
    if not _is_mild(event.severity, threshold):
        return []
    since = event.at - timedelta(hours=policy["window_hours"])
    earlier = sum(
        1
        for violation in before["violations"]
        if violation["at"] > since and _is_mild(Severity(violation["severity"]), threshold)
    )
    return [RaisedAlert(COUNT, channels)] if (earlier + 1) % policy["count"] == 0 else []


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
        delivered={},
    )


def _is_mild(severity: Severity, threshold: Severity) -> bool:
    return Severity.MEDIUM.rank <= severity.rank < threshold.rank
