"""One event of every type with every field filled, as its golden files hold it. Of a type that is
not written out here it is made from the types of its fields, as a command is: what needs one of
each type has one of a new type, too.

The golden file of an event holds its sample: what is made here for a type never changes.
"""

import dataclasses
import types
import typing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, get_args

from command_service.child.commands import UNCHANGED
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
    SafetyViolationAssigned,
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
    Speaker,
)
from shared.events.personal import Personal
from shared.serialization.schema import STAFF

SOME_ID = "5d9c1b7e-3f0a-4e8d-9b61-2a7f4c0e8d13"
SOME_TIME = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOME_NUMBER = 7
LEFT_OUT = (type(None), type(UNCHANGED))


def sample_of(kind: type[Any], **given: Any) -> Any:
    """A `kind` with every field filled, those of `given` with what they are given."""
    hints = typing.get_type_hints(kind)
    made = {
        field.name: _value(field.name, hints[field.name])
        for field in dataclasses.fields(kind)
        if field.name not in given
    }
    return kind(**made, **given)


def _value(name: str, hint: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(name, next(each for each in inner if each not in LEFT_OUT))
    if origin is Personal:
        return Personal(_value(name, inner[0]))
    if origin in (tuple, list):
        return origin([_value(name, inner[0])])
    if origin is not None:  # a dict or a mapping: preferences
        return {name: True}
    if dataclasses.is_dataclass(hint):
        return sample_of(typing.cast(type[Any], hint))
    if issubclass(hint, StrEnum):
        return next(iter(hint))
    if name in STAFF or name == "instead_of":
        return "some-officer"
    if hint is str:
        return SOME_ID if name.endswith("_id") else f"some {name.replace('_', ' ')}"
    return {int: SOME_NUMBER, bool: True, datetime: SOME_TIME}[hint]


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
    SafetyViolationReopened(  # after an earlier resolution: the last one is to be seen
        child_id=CHILD,
        at=AT,
        violation_id="violation-1",
        violation_type="personal_information",
        severity=Severity.HIGH,
        outcome=Outcome.CONFIRMED,
        reason=Personal("It was heard again."),
    ),
    SafetyViolationAssigned(
        child_id=CHILD, at=AT, violation_id="violation-1", assignee="officer-2"
    ),
    SafetyViolationResolved(
        child_id=CHILD,
        at=AT,
        violation_id="violation-1",
        violation_type="personal_information",
        severity=Severity.HIGH,
        outcome=Outcome.FALSE_POSITIVE,
        note=Personal("It was a line of a song."),
        resolved_by="officer-1",
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
