"""One event of every type with every field filled, as its golden files hold it.

Of a type that is not written out here it is made from its fields.
"""

from datetime import UTC, datetime, timedelta
from typing import get_args

from shared.events.child import (
    AlertChannel,
    AlertPolicy,
    AlertPolicyConfigured,
    ChildDeactivated,
    ChildErased,
    ChildEvent,
    ChildProfileUpdated,
    ChildReactivated,
    ChildRegistered,
    ConsentMethod,
    ConsentPurpose,
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    Outcome,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
    SafetyViolationAcknowledged,
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
    Speaker,
)
from shared.events.personal import Personal
from tests.support.samples import sample_of

CHILD = "child-0f8fad5b-d9cb-469f-a165-70867728950e"
AT = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)

_WRITTEN_OUT: tuple[ChildEvent, ...] = (
    ChildRegistered(
        child_id=CHILD,
        at=AT,
        parent_id="parent-1",
        name=Personal("Zoë 小熊"),
        age=7,
        udid=Personal("TEDDY-0000-0001"),
        device_id=Personal("device-1"),
        preferences=Personal({"colour": "blue", "songs": ["lullaby"], "volume": 0.5}),
        learning_style=Personal("visual"),
        interests=Personal(["dinosaurs", "space"]),
    ),
    ChildProfileUpdated(
        child_id=CHILD,
        at=AT,
        name=Personal("Zoe"),
        age=8,
        device_id=Personal("device-2"),
        preferences=Personal({}),
        learning_style=Personal("auditory"),
        interests=Personal([]),
        cleared=("interests",),
    ),
    SafetyViolationReported(
        child_id=CHILD,
        at=AT,
        violation_id="violation-1",
        violation_type="personal_information",
        severity=Severity.HIGH,
        details=Personal("Told the bear an address."),
        conversation_id="conversation-1",
    ),
    SafetyViolationResolved(
        child_id=CHILD,
        at=AT,
        violation_id="violation-1",
        violation_type="personal_information",
        severity=Severity.HIGH,
        outcome=Outcome.FALSE_POSITIVE,
    ),
    SafetyViolationAcknowledged(child_id=CHILD, at=AT, violation_id="violation-1"),
    AlertPolicyConfigured(
        child_id=CHILD,
        at=AT,
        policy=AlertPolicy(Severity.CRITICAL, 5, 48, (AlertChannel.IN_APP, AlertChannel.WEBHOOK)),
    ),
    ConversationStarted(child_id=CHILD, at=AT, conversation_id="conversation-1", topic="dinosaurs"),
    MessageRecorded(
        child_id=CHILD,
        at=AT,
        conversation_id="conversation-1",
        speaker=Speaker.CHILD,
        word_count=12,
        topic="dinosaurs",
        flagged_categories=("violence",),
        learning_skills=("counting", "vocabulary"),
    ),
    ConversationEnded(
        child_id=CHILD,
        at=AT,
        conversation_id="conversation-1",
        started_at=AT - timedelta(minutes=7, milliseconds=50),
    ),
    ChildDeactivated(child_id=CHILD, at=AT, reason=Personal("moved away")),
    ChildReactivated(child_id=CHILD, at=AT),
    ParentalConsentGiven(
        child_id=CHILD,
        at=AT,
        purpose=ConsentPurpose.CONVERSATIONS,
        notice_version="2026-11",
        method=ConsentMethod.SIGNED_FORM,
    ),
    ParentalConsentWithdrawn(child_id=CHILD, at=AT, purpose=ConsentPurpose.CONVERSATIONS),
    ChildErased(child_id=CHILD, at=AT),
)
_KNOWN = {type(event) for event in _WRITTEN_OUT}

EVENTS: tuple[ChildEvent, ...] = (
    *_WRITTEN_OUT,
    *(
        sample_of(kind, child_id=CHILD, at=AT)
        for kind in get_args(ChildEvent)
        if kind not in _KNOWN
    ),
)
