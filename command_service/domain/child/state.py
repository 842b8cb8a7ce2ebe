"""What the past of a child account means for its next command."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rpds import HashTrieMap

from command_service.domain.child.limits import (
    KNOWN_ENDED_CONVERSATIONS,
    KNOWN_RESOLVED_VIOLATIONS,
)
from command_service.domain.child.newest import Newest
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
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class GivenConsent:
    notice_version: str
    method: ConsentMethod


NO_CONVERSATIONS: Newest[None] = Newest(KNOWN_ENDED_CONVERSATIONS)
NO_VIOLATIONS: Newest[Violation] = Newest(KNOWN_RESOLVED_VIOLATIONS)


@dataclass(frozen=True, slots=True)
class Child:
    """The aggregate. `Child()` is the state before registration.

    `consents`: what the parent consents to today. `open_conversations`: id to when it started.
    `open_violations`: those that nobody has resolved, however many. What is closed is known while
    it is among the newest, so a child does not grow with its years. All of it is in persistent
    structures: one more costs the same, however many there are.
    """

    status: AccountStatus = AccountStatus.UNREGISTERED
    parent_id: str = ""
    profile: Profile = field(default_factory=Profile)
    open_conversations: "HashTrieMap[str, datetime]" = field(default_factory=HashTrieMap)
    ended_conversations: Newest[None] = NO_CONVERSATIONS
    open_violations: "HashTrieMap[str, Violation]" = field(default_factory=HashTrieMap)
    resolved_violations: Newest[Violation] = NO_VIOLATIONS
    consents: "HashTrieMap[ConsentPurpose, GivenConsent]" = field(default_factory=HashTrieMap)
    alert_policy: AlertPolicy = field(default_factory=AlertPolicy)

    @property
    def ids(self) -> int:
        """How many ids of conversations and violations are kept: what a child weighs."""
        conversations = len(self.open_conversations) + len(self.ended_conversations)
        return conversations + len(self.open_violations) + len(self.resolved_violations)

    def had_conversation(self, conversation_id: str) -> bool:
        """Whether it is open, or ended and not forgotten."""
        return (
            conversation_id in self.open_conversations
            or conversation_id in self.ended_conversations
        )

    def violation(self, violation_id: str) -> Violation | None:
        """Open, or resolved and not forgotten."""
        violation = self.open_violations.get(violation_id)
        return self.resolved_violations.get(violation_id) if violation is None else violation
