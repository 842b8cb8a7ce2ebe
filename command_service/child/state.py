"""What the past of a child account means for its next command."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from rpds import HashTrieMap

from command_service.child.account import Account
from shared.events.child import AlertPolicy, Outcome, Severity

KNOWN_ENDED_CONVERSATIONS = 5_000
KNOWN_RESOLVED_VIOLATIONS = 1_000
"""Of a child at least, the newest. What is older is forgotten, as if it had never been."""

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Violation:
    """`outcome`: of its resolution; None: it is open. `assignee`: who looks into it, or did."""

    violation_type: str
    severity: Severity
    acknowledged: bool = False
    outcome: Outcome | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class Newest(Generic[V]):
    """What is closed, in a persistent map that forgets: the newest `limit` entries at least are
    known, and fewer than twice as many. Once `recent` has `limit` entries they are the `older`
    ones, and those of before are gone: to forget costs nothing, and no entry needs an age.
    """

    limit: int
    recent: "HashTrieMap[str, V]" = field(default_factory=HashTrieMap)
    older: "HashTrieMap[str, V]" = field(default_factory=HashTrieMap)

    def __contains__(self, name: str) -> bool:
        return name in self.recent or name in self.older

    def __len__(self) -> int:
        """How many entries are kept; one that was renewed may count twice."""
        return len(self.recent) + len(self.older)

    def get(self, name: str) -> V | None:
        return self.recent.get(name) if name in self.recent else self.older.get(name)

    def insert(self, name: str, value: V) -> "Newest[V]":
        """With `name` as the newest entry."""
        recent = self.recent.insert(name, value)
        if len(recent) < self.limit:
            return Newest(self.limit, recent, self.older)
        return Newest(self.limit, HashTrieMap(), recent)

    def discard(self, name: str) -> "Newest[V]":
        """Without `name`, whether or not it is known."""
        return Newest(self.limit, self.recent.discard(name), self.older.discard(name))


NO_CONVERSATIONS: Newest[None] = Newest(KNOWN_ENDED_CONVERSATIONS)
NO_VIOLATIONS: Newest[Violation] = Newest(KNOWN_RESOLVED_VIOLATIONS)


@dataclass(frozen=True, slots=True)
class Child(Account):
    """The aggregate. `Child()` is the state before registration.

    `open_conversations`: id to when it started. `open_violations`: those that nobody has resolved,
    however many. What is closed is known while it is among the newest, so a child does not grow
    with its years. All of it is in persistent structures: one more costs the same, however many
    there are.
    """

    open_conversations: "HashTrieMap[str, datetime]" = field(default_factory=HashTrieMap)
    ended_conversations: Newest[None] = NO_CONVERSATIONS
    open_violations: "HashTrieMap[str, Violation]" = field(default_factory=HashTrieMap)
    resolved_violations: Newest[Violation] = NO_VIOLATIONS
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
