"""What may be asked of a child account. Time and new ids arrive in the command.

A field says how its value is checked and normalised: `Annotated[type, Checked(how, limit)]`.
Values are as they came until `in_normal_form` has done that. Fields are checked in their order
here, and refusals name them in that order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final

from command_service.child.field_checks import (
    AGE,
    ALERT_CHANNELS,
    ALERT_COUNT,
    ALERT_WINDOW_HOURS,
    DETAILS,
    LABEL,
    LABELS,
    NAME,
    NOTE,
    NOTICE_VERSION,
    REASON,
    WORD_COUNT,
    Checked,
    FieldChecks,
)
from shared.events.child import (
    AlertChannel,
    ConsentMethod,
    ConsentPurpose,
    Outcome,
    Severity,
    Speaker,
)


class Unchanged(Enum):
    """Stands for a field that an update does not mention; None clears a field."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED

Name = Annotated[str, Checked(FieldChecks.name, NAME)]
Age = Annotated[int, Checked(FieldChecks.number, AGE)]
Subject = Annotated[str, Checked(FieldChecks.subject)]
DeviceId = Annotated[str, Checked(FieldChecks.subject)]
Preferences = Annotated[Mapping[str, Any], Checked(FieldChecks.preferences)]
Label = Annotated[str, Checked(FieldChecks.label, LABEL)]
Labels = Annotated[tuple[str, ...], Checked(FieldChecks.labels, LABELS)]
NoticeVersion = Annotated[str, Checked(FieldChecks.label, NOTICE_VERSION)]
NewId = Annotated[str, Checked(FieldChecks.uuid)]
KnownId = Annotated[str, Checked(FieldChecks.known_id)]


@dataclass(frozen=True, slots=True)
class Consent:
    """A parent's consent, as it is given together with a registration."""

    purpose: ConsentPurpose
    notice_version: str
    method: ConsentMethod


def _each_purpose_once(
    checks: FieldChecks, field: str, consents: tuple[Consent, ...]
) -> tuple[Consent, ...]:
    if len({consent.purpose for consent in consents}) != len(consents):
        checks.refuse(field, "must contain each purpose at most once", "one entry per purpose")
    return tuple(
        replace(
            consent,
            notice_version=checks.label(
                f"{field}.{place}.notice_version", consent.notice_version, NOTICE_VERSION
            ),
        )
        for place, consent in enumerate(consents)
    )


def _each_channel_once(
    checks: FieldChecks, field: str, channels: tuple[AlertChannel, ...]
) -> tuple[AlertChannel, ...]:
    is_once = len(set(channels)) == len(channels)
    if not is_once or not ALERT_CHANNELS.allows(len(channels)):
        message = "must contain 1 to 3 channels, each at most once"
        checks.refuse(field, message, f"{ALERT_CHANNELS} entries")
    return channels


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChildCommand:
    child_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RegisterChild(_ChildCommand):
    parent_id: Annotated[str, Checked(FieldChecks.subject)]
    udid: Annotated[str, Checked(FieldChecks.udid)]
    consents: Annotated[tuple[Consent, ...], Checked(_each_purpose_once)] = ()
    name: Name
    age: Age
    device_id: DeviceId | None = None
    preferences: Preferences | None = None
    learning_style: Label | None = None
    interests: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UpdateChildProfile(_ChildCommand):
    """At least one field is not UNCHANGED."""

    name: Name | Unchanged = UNCHANGED
    age: Age | Unchanged = UNCHANGED
    device_id: DeviceId | Unchanged | None = UNCHANGED
    preferences: Preferences | Unchanged | None = UNCHANGED
    learning_style: Label | Unchanged | None = UNCHANGED
    interests: Labels | Unchanged | None = UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveConsent(_ChildCommand):
    purpose: ConsentPurpose
    notice_version: NoticeVersion
    method: ConsentMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawConsent(_ChildCommand):
    purpose: ConsentPurpose


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DeactivateChild(_ChildCommand):
    reason: Annotated[str, Checked(FieldChecks.text, REASON)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactivateChild(_ChildCommand):
    """`without_device`: the child's device id is another's by now."""

    without_device: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseChild(_ChildCommand):
    pass


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportSafetyViolation(_ChildCommand):
    violation_id: str
    violation_type: Annotated[str, Checked(FieldChecks.label, LABEL, request_name="type")]
    severity: Severity
    details: Annotated[str, Checked(FieldChecks.text_or_nothing, DETAILS)] | None = None
    conversation_id: NewId | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ResolveSafetyViolation(_ChildCommand):
    """`resolved_by`: the caller's subject; None: not known."""

    violation_id: str
    outcome: Outcome
    note: Annotated[str, Checked(FieldChecks.text_or_nothing, NOTE)] | None = None
    resolved_by: Subject | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReopenSafetyViolation(_ChildCommand):
    violation_id: str
    reason: Annotated[str, Checked(FieldChecks.text, REASON)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignSafetyViolation(_ChildCommand):
    """`assignee`: a subject of a token; None: nobody. There is no list of the staff to check.
    `instead_of`: who must have it until then; UNCHANGED: whoever has it."""

    violation_id: str
    assignee: Subject | None
    instead_of: Subject | Unchanged | None = UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeSafetyViolation(_ChildCommand):
    violation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureAlerts(_ChildCommand):
    threshold: Severity
    channels: Annotated[tuple[AlertChannel, ...], Checked(_each_channel_once)]
    count: Annotated[int, Checked(FieldChecks.number, ALERT_COUNT)]
    window_hours: Annotated[int, Checked(FieldChecks.number, ALERT_WINDOW_HOURS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConversation(_ChildCommand):
    conversation_id: NewId
    topic: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMessage(_ChildCommand):
    """That a message was exchanged; there is no field for its text."""

    conversation_id: KnownId
    speaker: Speaker
    word_count: Annotated[int, Checked(FieldChecks.number, WORD_COUNT)]
    topic: Label | None = None
    flagged_categories: Labels = ()
    learning_skills: Labels = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndConversation(_ChildCommand):
    conversation_id: KnownId


AccountCommand = RegisterChild | UpdateChildProfile
ConsentCommand = GiveConsent | WithdrawConsent
LifecycleCommand = DeactivateChild | ReactivateChild | EraseChild
SafetyCommand = (
    ReportSafetyViolation
    | ResolveSafetyViolation
    | ReopenSafetyViolation
    | AssignSafetyViolation
    | AcknowledgeSafetyViolation
    | ConfigureAlerts
)
ConversationCommand = StartConversation | RecordMessage | EndConversation

ChildCommand = (
    AccountCommand | ConsentCommand | LifecycleCommand | SafetyCommand | ConversationCommand
)
