"""The same two decisions with the library `eventsourcing` and its SQLite recorder, in process.

It appends an event to a stream under its version, durably, as ours does. It has no HTTP, tokens,
encryption, audit, consents, unique bears, idempotency, Kafka or read models, and one caller.
"""

from pathlib import Path
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

MOST_WORDS = 100_000


class Child(Aggregate):
    """A child, its bear and its conversations."""

    @event("ChildRegistered")
    def __init__(self, parent_id: str, name: str, age: int, udid: str) -> None:
        if not name.strip() or not 3 <= age <= 12:
            raise ValueError("name or age")
        self.parent_id, self.name, self.age, self.udid = parent_id, name, age, udid
        self.open: set[str] = set()
        self.words = 0

    @event("ConversationStarted")
    def start(self, conversation_id: str) -> None:
        self.open.add(conversation_id)

    def record(self, conversation_id: str, role: str, word_count: int) -> None:
        if conversation_id not in self.open:
            raise ValueError("the conversation is not open")
        if not 0 <= word_count <= MOST_WORDS:
            raise ValueError("word_count")
        self._record(conversation_id, role, word_count)

    @event("MessageRecorded")
    def _record(self, conversation_id: str, role: str, word_count: int) -> None:
        self.words += word_count


class Children(Application[UUID]):
    """Commands as an application of that library has them: load, decide, save."""

    def register(self, number: int) -> UUID:
        child = Child(f"parent-{number}", f"Mia {number}", 7, f"udid-{number}")
        self.save(child)
        return child.id

    def start(self, child_id: UUID, conversation_id: str) -> None:
        child: Child = self.repository.get(child_id)
        child.start(conversation_id)
        self.save(child)

    def record(self, child_id: UUID, conversation_id: str) -> None:
        child: Child = self.repository.get(child_id)
        child.record(conversation_id, "bear", 12)
        self.save(child)


def children(database: Path) -> Children:
    """With a cache of loaded aggregates, as ours has."""
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": str(database),
        "AGGREGATE_CACHE_MAXSIZE": "10000",
    }
    return Children(settings)
