"""Events about a child called Mia, as the projections see them: opened, with their ciphertext."""

from datetime import UTC, datetime, timedelta
from typing import Any

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
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
    Speaker,
)
from shared.events.personal import Personal

MIA = "0c9b7f6e-1111-4a7b-8a55-3f1f0a9d0001"
TALK = "talk-1"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def sealed(name: str, value: Any = "secret", version: int = 1) -> Personal[Any]:
    return Personal(value, f"{version}.{name}.ciphertext", (f"token-of-{name}",))


def registered(**more: Any) -> ChildRegistered:
    return ChildRegistered(
        child_id=MIA,
        at=NOON,
        parent_id="parent-1",
        name=sealed("name"),
        age=6,
        udid=sealed("udid"),
        **more,
    )


def updated(**changes: Any) -> ChildProfileUpdated:
    return ChildProfileUpdated(child_id=MIA, at=later(1), **changes)


def reported(
    number: int = 1, severity: Severity = Severity.MEDIUM, minutes: float = 1, **more: Any
) -> SafetyViolationReported:
    return SafetyViolationReported(
        child_id=MIA,
        at=later(minutes),
        violation_id=f"violation-{number}",
        violation_type="rude_words",
        severity=severity,
        **more,
    )


def resolved(
    number: int = 1, severity: Severity = Severity.MEDIUM, outcome: Outcome = Outcome.CONFIRMED
) -> SafetyViolationResolved:
    return SafetyViolationResolved(
        child_id=MIA,
        at=later(5),
        violation_id=f"violation-{number}",
        violation_type="rude_words",
        severity=severity,
        outcome=outcome,
    )


def acknowledged(number: int = 1, minutes: float = 6) -> SafetyViolationAcknowledged:
    return SafetyViolationAcknowledged(
        child_id=MIA, at=later(minutes), violation_id=f"violation-{number}"
    )


def policy(**settings: Any) -> AlertPolicyConfigured:
    return AlertPolicyConfigured(child_id=MIA, at=later(0), policy=AlertPolicy(**settings))


def started(talk: str = TALK, topic: str | None = "space", minutes: float = 1) -> ChildEvent:
    return ConversationStarted(child_id=MIA, at=later(minutes), conversation_id=talk, topic=topic)


def message(talk: str = TALK, minutes: float = 2, **more: Any) -> ChildEvent:
    return MessageRecorded(
        child_id=MIA,
        at=later(minutes),
        conversation_id=talk,
        speaker=Speaker.CHILD,
        word_count=5,
        **more,
    )


def ended(talk: str = TALK, start: float = 1, end: float = 13.5) -> ChildEvent:
    return ConversationEnded(
        child_id=MIA, at=later(end), conversation_id=talk, started_at=later(start)
    )


def deactivated() -> ChildEvent:
    return ChildDeactivated(child_id=MIA, at=later(20), reason=sealed("reason"))


def reactivated() -> ChildEvent:
    return ChildReactivated(child_id=MIA, at=later(21))


def erased() -> ChildEvent:
    return ChildErased(child_id=MIA, at=later(30))


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def view_of(*events: ChildEvent) -> ChildView:
    """The read models of a child to whom `events` happened, in this order."""
    view = ChildView()
    for version, event in enumerate(events, 1):
        view = apply(view, event, version, f"{MIA}@{version}")
    return view
