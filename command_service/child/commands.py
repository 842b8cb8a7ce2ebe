"""What may be asked of a child account. Time and new ids arrive in the command.

Texts are as they came: `in_normal_form` normalises them and refuses what breaks a limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

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


@dataclass(frozen=True, slots=True)
class Consent:
    """A parent's consent, as it is given together with a registration."""

    purpose: ConsentPurpose
    notice_version: str
    method: ConsentMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChildCommand:
    child_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RegisterChild(_ChildCommand):
    parent_id: str
    name: str
    age: int
    udid: str
    device_id: str | None = None
    preferences: Mapping[str, Any] | None = None
    learning_style: str | None = None
    interests: tuple[str, ...] | None = None
    consents: tuple[Consent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UpdateChildProfile(_ChildCommand):
    name: str | Unchanged = UNCHANGED
    age: int | Unchanged = UNCHANGED
    device_id: str | Unchanged | None = UNCHANGED
    preferences: Mapping[str, Any] | Unchanged | None = UNCHANGED
    learning_style: str | Unchanged | None = UNCHANGED
    interests: tuple[str, ...] | Unchanged | None = UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportSafetyViolation(_ChildCommand):
    violation_id: str
    violation_type: str
    severity: Severity
    details: str | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveSafetyViolation(_ChildCommand):
    violation_id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeSafetyViolation(_ChildCommand):
    violation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureAlerts(_ChildCommand):
    threshold: Severity
    count: int
    window_hours: int
    channels: tuple[AlertChannel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConversation(_ChildCommand):
    conversation_id: str
    topic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMessage(_ChildCommand):
    """That a message was exchanged; there is no field for its text."""

    conversation_id: str
    speaker: Speaker
    word_count: int
    topic: str | None = None
    flagged_categories: tuple[str, ...] = ()
    learning_skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndConversation(_ChildCommand):
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DeactivateChild(_ChildCommand):
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactivateChild(_ChildCommand):
    """`without_device`: the child's device id is another's by now."""

    without_device: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveConsent(_ChildCommand):
    purpose: ConsentPurpose
    notice_version: str
    method: ConsentMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawConsent(_ChildCommand):
    purpose: ConsentPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseChild(_ChildCommand):
    pass


ChildCommand = (
    RegisterChild
    | UpdateChildProfile
    | ReportSafetyViolation
    | ResolveSafetyViolation
    | AcknowledgeSafetyViolation
    | ConfigureAlerts
    | StartConversation
    | RecordMessage
    | EndConversation
    | DeactivateChild
    | ReactivateChild
    | GiveConsent
    | WithdrawConsent
    | EraseChild
)
