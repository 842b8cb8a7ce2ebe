"""Everything that can happen to a child account. Published events never change: add a version.

The dataclass is the schema. A field typed `Personal[...]` or `Label[...]` is sealed before it
leaves the process.
`at` is when it happened (UTC, milliseconds); versions, ids and actors are the envelope's.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, get_args

from shared.events.personal import Label, Personal, StaffId


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (low) to 3 (critical)."""
        return tuple(Severity).index(self)


class Outcome(StrEnum):
    """How a reported safety violation was resolved."""

    CONFIRMED = "confirmed"
    FALSE_POSITIVE = "false_positive"


class Speaker(StrEnum):
    CHILD = "child"
    BEAR = "bear"


class ConsentPurpose(StrEnum):
    """What a parent consents to; the other purposes rest on `account`."""

    ACCOUNT = "account"
    CONVERSATIONS = "conversations"
    PERSONALIZATION = "personalization"


class ConsentMethod(StrEnum):
    """How it was made sure that a parent consented: the methods of COPPA, 16 CFR 312.5(b)(2)."""

    SIGNED_FORM = "signed_form"
    PAYMENT_CARD = "payment_card"
    PHONE_CALL = "phone_call"
    VIDEO_CALL = "video_call"
    GOVERNMENT_ID = "government_id"
    KNOWLEDGE_QUESTIONS = "knowledge_questions"
    EMAIL_PLUS = "email_plus"


class AlertChannel(StrEnum):
    IN_APP = "in_app"
    WEBHOOK = "webhook"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When a parent is alerted.

    At once from severity `threshold` upwards; and when `count` milder violations (medium or above,
    below `threshold`) fall within `window_hours`.
    """

    threshold: Severity = Severity.HIGH
    count: int = 3
    window_hours: int = 24
    channels: tuple[AlertChannel, ...] = (AlertChannel.IN_APP,)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChildEvent:
    child_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRegistered(_ChildEvent):
    parent_id: str
    name: Personal[str] = field(metadata={"searchable": True})
    age: Label[int]
    udid: Personal[str]
    device_id: Personal[str] | None = None
    preferences: Personal[dict[str, Any]] | None = None
    learning_style: Personal[str] | None = None
    interests: Personal[list[str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildProfileUpdated(_ChildEvent):
    """Only what changed: None means unchanged; fields that became empty are named in `cleared`."""

    name: Personal[str] | None = field(default=None, metadata={"searchable": True})
    age: Label[int] | None = None
    device_id: Personal[str] | None = None
    preferences: Personal[dict[str, Any]] | None = None
    learning_style: Personal[str] | None = None
    interests: Personal[list[str]] | None = None
    cleared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyViolationReported(_ChildEvent):
    violation_id: str
    violation_type: Label[str]
    severity: Severity
    details: Personal[str] | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyViolationResolved(_ChildEvent):
    """Repeats what was reported, so that a read model need not remember every report."""

    violation_id: str
    violation_type: Label[str]
    severity: Severity
    outcome: Outcome
    note: Personal[str] | None = None
    resolved_by: StaffId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyViolationReopened(_ChildEvent):
    """It is open, as if `outcome` had never been said. Repeats what was resolved, and how."""

    violation_id: str
    violation_type: Label[str]
    severity: Severity
    outcome: Outcome
    reason: Personal[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyViolationAssigned(_ChildEvent):
    """`assignee` looks into it from now on; None: nobody does."""

    violation_id: str
    assignee: StaffId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyViolationAcknowledged(_ChildEvent):
    """The parent has seen it: whatever alerted to it counts as read."""

    violation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicyConfigured(_ChildEvent):
    policy: AlertPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationStarted(_ChildEvent):
    conversation_id: str
    topic: Label[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecorded(_ChildEvent):
    """That a message was exchanged, never its text."""

    conversation_id: str
    speaker: Speaker
    word_count: int
    topic: Label[str] | None = None
    flagged_categories: Label[tuple[str, ...]] = ()
    learning_skills: Label[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationEnded(_ChildEvent):
    """`at` minus `started_at` is how long it lasted."""

    conversation_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildDeactivated(_ChildEvent):
    reason: Personal[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReactivated(_ChildEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentalConsentGiven(_ChildEvent):
    """`notice_version` names the privacy notice that the parent was shown."""

    purpose: ConsentPurpose
    notice_version: Label[str]
    method: ConsentMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentalConsentWithdrawn(_ChildEvent):
    purpose: ConsentPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildErased(_ChildEvent):
    """The child's data key is destroyed; what was sealed under it can never be read again."""


ERASED = ChildErased.__name__
CONSENTING = (ParentalConsentGiven.__name__, ParentalConsentWithdrawn.__name__)

AccountEvent = (
    ChildRegistered | ChildProfileUpdated | ParentalConsentGiven | ParentalConsentWithdrawn
)
LifecycleEvent = ChildDeactivated | ChildReactivated | ChildErased
SafetyEvent = (
    SafetyViolationReported
    | SafetyViolationResolved
    | SafetyViolationReopened
    | SafetyViolationAssigned
    | SafetyViolationAcknowledged
    | AlertPolicyConfigured
)
ConversationEvent = ConversationStarted | MessageRecorded | ConversationEnded

ChildEvent = AccountEvent | LifecycleEvent | SafetyEvent | ConversationEvent

SCHEMA_VERSIONS: dict[type[ChildEvent], int] = {
    **dict.fromkeys(get_args(ChildEvent), 1),
    ChildRegistered: 2,
    ChildProfileUpdated: 2,
    SafetyViolationReported: 2,
    SafetyViolationResolved: 3,
    ConversationStarted: 2,
    MessageRecorded: 2,
    ParentalConsentGiven: 2,
}
"""The schema version that is written today; older ones are upcast when read."""
