"""An audit trail in memory."""

from dataclasses import dataclass, field

from shared.audit.record import AuditRecord, AuditUnavailable


@dataclass
class MemoryAuditTrail:
    """`away` plays a store that does not answer and a buffer that is full."""

    entries: list[AuditRecord] = field(default_factory=list)
    away: bool = False

    async def record(self, entry: AuditRecord) -> None:
        self.note(entry)

    def note(self, entry: AuditRecord) -> None:
        self.require_room()
        self.entries.append(entry)

    def require_room(self) -> None:
        if self.away:
            raise AuditUnavailable("the audit trail is unavailable")
