"""A child called Ada: commands about her and events that happened to her."""

from datetime import UTC, datetime, timedelta
from typing import Any

from command_service.child.commands import (
    AcknowledgeSafetyViolation,
    AssignSafetyViolation,
    ConfigureAlerts,
    Consent,
    DeactivateChild,
    EndConversation,
    EraseChild,
    GiveConsent,
    ReactivateChild,
    RecordMessage,
    RegisterChild,
    ReopenSafetyViolation,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    StartConversation,
    UpdateChildProfile,
    WithdrawConsent,
)
from shared.events.child import (
    AlertChannel,
    ChildDeactivated,
    ChildErased,
    ChildEvent,
    ChildReactivated,
    ChildRegistered,
    ConsentMethod,
    ConsentPurpose,
    ConversationEnded,
    ConversationStarted,
    Outcome,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
    SafetyViolationAcknowledged,
    SafetyViolationAssigned,
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
    Speaker,
)
from shared.events.personal import Personal

ADA = "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11"
TALK = "0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f"
VIOLATION = "4f1d2b9c-6a3e-4c51-9b0d-7e8f9a0b1c2d"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=10)

_ABOUT: dict[str, Any] = {"child_id": ADA, "at": NOON}
_NOW: dict[str, Any] = {"child_id": ADA, "at": LATER}

REGISTERED = ChildRegistered(
    **_ABOUT,
    parent_id="parent-ada",
    name=Personal("Ada"),
    age=7,
    udid=Personal("TEDDY-0000-0001"),
    device_id=Personal("bear-device-1"),
    preferences=Personal({"stories": True}),
    learning_style=Personal("visual"),
    interests=Personal(["space"]),
)
NOTICE: dict[str, Any] = {"notice_version": "2026-11", "method": ConsentMethod.SIGNED_FORM}


def consented(purpose: ConsentPurpose, at: datetime = NOON) -> ParentalConsentGiven:
    return ParentalConsentGiven(child_id=ADA, at=at, purpose=purpose, **NOTICE)


def withdrawn(purpose: ConsentPurpose, at: datetime = NOON) -> ParentalConsentWithdrawn:
    return ParentalConsentWithdrawn(child_id=ADA, at=at, purpose=purpose)


CONSENTED = tuple(consented(purpose) for purpose in ConsentPurpose)
ALLOWED: tuple[ChildEvent, ...] = (REGISTERED, *CONSENTED)
"""Registered, with the parent's consent to every purpose."""

DEACTIVATED = ChildDeactivated(**_ABOUT, reason=Personal("moved on"))
REACTIVATED = ChildReactivated(**_ABOUT)
ERASED = ChildErased(**_ABOUT)
REPORTED = SafetyViolationReported(
    **_ABOUT, violation_id=VIOLATION, violation_type="bullying", severity=Severity.HIGH
)
RESOLVED = SafetyViolationResolved(
    **_ABOUT,
    violation_id=VIOLATION,
    violation_type="bullying",
    severity=Severity.HIGH,
    outcome=Outcome.CONFIRMED,
)
REOPENED = SafetyViolationReopened(
    **_ABOUT,
    violation_id=VIOLATION,
    violation_type="bullying",
    severity=Severity.HIGH,
    outcome=Outcome.CONFIRMED,
    reason=Personal("seen again"),
)
ASSIGNED = SafetyViolationAssigned(**_ABOUT, violation_id=VIOLATION, assignee="officer-1")
ACKNOWLEDGED = SafetyViolationAcknowledged(**_ABOUT, violation_id=VIOLATION)
STARTED = ConversationStarted(**_ABOUT, conversation_id=TALK)
ENDED = ConversationEnded(**_ABOUT, conversation_id=TALK, started_at=NOON)

REGISTER = RegisterChild(
    **_NOW,
    parent_id="parent-ada",
    name="Ada",
    age=7,
    udid="TEDDY-0000-0001",
    device_id="bear-device-1",
    preferences={"stories": True},
    learning_style="visual",
    interests=("space",),
    consents=tuple(Consent(purpose, **NOTICE) for purpose in ConsentPurpose),
)
REPORT = ReportSafetyViolation(
    **_NOW, violation_id=VIOLATION, violation_type="bullying", severity=Severity.HIGH
)
RESOLVE = ResolveSafetyViolation(**_NOW, violation_id=VIOLATION, outcome=Outcome.CONFIRMED)
REOPEN = ReopenSafetyViolation(**_NOW, violation_id=VIOLATION, reason="seen again")
ASSIGN = AssignSafetyViolation(**_NOW, violation_id=VIOLATION, assignee="officer-1")
ACKNOWLEDGE = AcknowledgeSafetyViolation(**_NOW, violation_id=VIOLATION)
CONFIGURE = ConfigureAlerts(
    **_NOW,
    threshold=Severity.MEDIUM,
    count=5,
    window_hours=48,
    channels=(AlertChannel.IN_APP, AlertChannel.WEBHOOK),
)
START = StartConversation(**_NOW, conversation_id=TALK, topic="dinosaurs")
MESSAGE = RecordMessage(**_NOW, conversation_id=TALK, speaker=Speaker.CHILD, word_count=12)
END = EndConversation(**_NOW, conversation_id=TALK)
DEACTIVATE = DeactivateChild(**_NOW, reason="moved on")
REACTIVATE = ReactivateChild(**_NOW)
ERASE = EraseChild(**_NOW)


def give(purpose: ConsentPurpose, **changes: Any) -> GiveConsent:
    return GiveConsent(**_NOW, purpose=purpose, **{**NOTICE, **changes})


def withdraw(purpose: ConsentPurpose) -> WithdrawConsent:
    return WithdrawConsent(**_NOW, purpose=purpose)


def update(**changes: Any) -> UpdateChildProfile:
    return UpdateChildProfile(**_NOW, **changes)
