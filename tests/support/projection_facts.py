"""Events about a child called Mia, as the projections see them: opened, with their ciphertext."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from projection_worker.projections.registry import ChildView, apply
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
    Outcome,
    SafetyViolationAcknowledged,
    SafetyViolationAssigned,
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
    Speaker,
)
from shared.events.personal import Personal

Happened = TypeVar("Happened", bound=ChildEvent)
MIA = "0c9b7f6e-1111-4a7b-8a55-3f1f0a9d0001"
TALK = "talk-1"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def sealed(name: str, value: Any = "secret", version: int = 1) -> Personal[Any]:
    return Personal(value, f"{version}.{name}.ciphertext", (f"token-of-{name}",))


def _about_mia(kind: type[Happened], minutes: float, **fields: Any) -> Happened:
    return kind(child_id=MIA, at=later(minutes), **fields)


def registered(**more: Any) -> ChildRegistered:
    mia: dict[str, Any] = {"parent_id": "parent-1", "name": sealed("name"), "age": 6}
    return _about_mia(ChildRegistered, 0, **mia, udid=sealed("udid"), **more)


def updated(**changes: Any) -> ChildProfileUpdated:
    return _about_mia(ChildProfileUpdated, 1, **changes)


def reported(
    number: int = 1, severity: Severity = Severity.MEDIUM, minutes: float = 1, **more: Any
) -> SafetyViolationReported:
    violation = {"violation_id": f"violation-{number}", "violation_type": "rude_words"}
    return _about_mia(SafetyViolationReported, minutes, severity=severity, **violation, **more)


def resolved(
    number: int = 1,
    severity: Severity = Severity.MEDIUM,
    outcome: Outcome = Outcome.CONFIRMED,
    **more: Any,
) -> SafetyViolationResolved:
    violation: dict[str, Any] = {"violation_id": f"violation-{number}", "severity": severity}
    violation |= {"violation_type": "rude_words", "outcome": outcome}
    return _about_mia(SafetyViolationResolved, 5, **violation, **more)


def reopened(
    number: int = 1,
    severity: Severity = Severity.MEDIUM,
    outcome: Outcome = Outcome.CONFIRMED,
    minutes: float = 7,
) -> SafetyViolationReopened:
    violation: dict[str, Any] = {"violation_id": f"violation-{number}", "severity": severity}
    violation |= {"violation_type": "rude_words", "outcome": outcome}
    return _about_mia(SafetyViolationReopened, minutes, **violation, reason=sealed("reason"))


def assigned(
    number: int = 1, assignee: str | None = "officer-1", minutes: float = 4
) -> SafetyViolationAssigned:
    violation = {"violation_id": f"violation-{number}", "assignee": assignee}
    return _about_mia(SafetyViolationAssigned, minutes, **violation)


def acknowledged(number: int = 1, minutes: float = 6) -> SafetyViolationAcknowledged:
    return _about_mia(SafetyViolationAcknowledged, minutes, violation_id=f"violation-{number}")


def policy(**settings: Any) -> AlertPolicyConfigured:
    return _about_mia(AlertPolicyConfigured, 0, policy=AlertPolicy(**settings))


def started(talk: str = TALK, topic: str | None = "space", minutes: float = 1) -> ChildEvent:
    return _about_mia(ConversationStarted, minutes, conversation_id=talk, topic=topic)


def message(talk: str = TALK, minutes: float = 2, **more: Any) -> ChildEvent:
    said: dict[str, Any] = {"speaker": Speaker.CHILD, "word_count": 5, **more}
    return _about_mia(MessageRecorded, minutes, conversation_id=talk, **said)


def ended(talk: str = TALK, start: float = 1, end: float = 13.5) -> ChildEvent:
    return _about_mia(ConversationEnded, end, conversation_id=talk, started_at=later(start))


def deactivated() -> ChildEvent:
    return _about_mia(ChildDeactivated, 20, reason=sealed("reason"))


def reactivated() -> ChildEvent:
    return _about_mia(ChildReactivated, 21)


def erased() -> ChildEvent:
    return _about_mia(ChildErased, 30)


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def view_of(*events: ChildEvent) -> ChildView:
    """The read models of a child to whom `events` happened, in this order."""
    view = ChildView()
    for version, event in enumerate(events, 1):
        view = apply(view, event, version, f"{MIA}@{version}")
    return view
