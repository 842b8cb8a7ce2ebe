"""The audit trail as both APIs see it, and its twin in memory."""

from dataclasses import dataclass, field
from typing import Protocol

from shared.audit.record import AuditRecord
from shared.event_store.port import StoreUnavailable


class AuditUnavailable(StoreUnavailable):
    """The audit trail cannot take the record: what it would tell of must not happen."""


class AuditTrail(Protocol):
    async def record(self, entry: AuditRecord) -> None:
        """For what is shown. Returns once `entry` is durable, or sure to be within a bounded time;
        raises AuditUnavailable when that takes too long: then it must not be shown."""

    def note(self, entry: AuditRecord) -> None:
        """Becomes durable soon; raises AuditUnavailable when too much waits for it already."""

    def require_room(self) -> None:
        """Raises AuditUnavailable where `note` would."""


@dataclass
class MemoryAuditTrail:
    """For tests; `away` plays a store that does not answer and a buffer that is full."""

    entries: list[AuditRecord] = field(default_factory=list)
    away: bool = False

    async def record(self, entry: AuditRecord) -> None:
        self.note(entry)

    def note(self, entry: AuditRecord) -> None:
        self.require_room()
        self.entries.append(entry)

    def require_room(self) -> None:
        if self.away:
            raise AuditUnavailable("the audit trail is away")
