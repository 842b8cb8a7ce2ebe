"""What the past of a child account means for its next command."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rpds import HashTrieMap, HashTrieSet

from shared.events.child import AlertPolicy, ConsentMethod, ConsentPurpose, Severity
from shared.personal import Personal


class AccountStatus(StrEnum):
    UNREGISTERED = "unregistered"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Profile:
    """Personal values are in plaintext here (memory only); without value once the key is gone."""

    name: Personal[str] | None = None
    age: int | None = None
    udid: Personal[str] | None = None
    device_id: Personal[str] | None = None
    preferences: Personal[dict[str, Any]] | None = None
    learning_style: Personal[str] | None = None
    interests: Personal[list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    violation_type: str
    severity: Severity
    resolved: bool = False
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class GivenConsent:
    notice_version: str
    method: ConsentMethod


@dataclass(frozen=True, slots=True)
class Child:
    """The aggregate. `Child()` is the state before registration.

    `consents`: what the parent consents to today. `open_conversations`: id to when it started.
    `used_conversation_ids` holds open and ended ones. What grows with the child's years is in
    persistent structures: one more costs the same, however many there are.
    """

    status: AccountStatus = AccountStatus.UNREGISTERED
    parent_id: str = ""
    profile: Profile = field(default_factory=Profile)
    open_conversations: "HashTrieMap[str, datetime]" = field(default_factory=HashTrieMap)
    used_conversation_ids: "HashTrieSet[str]" = field(default_factory=HashTrieSet)
    violations: "HashTrieMap[str, Violation]" = field(default_factory=HashTrieMap)
    consents: "HashTrieMap[ConsentPurpose, GivenConsent]" = field(default_factory=HashTrieMap)
    alert_policy: AlertPolicy = field(default_factory=AlertPolicy)
