"""An audit trail in memory."""

from dataclasses import dataclass, field

from shared.audit.record import AuditRecord, AuditUnavailable


@dataclass
class MemoryAuditTrail:
    """`away` plays a store that does not answer and a buffer that is full; `most`: records that it
    has room for."""

    entries: list[AuditRecord] = field(default_factory=list)
    away: bool = False
    most: int | None = None

    async def record(self, entry: AuditRecord) -> None:
        self.note(entry)

    def note(self, entry: AuditRecord) -> None:
        self.require_room()
        self.entries.append(entry)

    def require_room(self, records: int = 1) -> None:
        is_full = self.most is not None and len(self.entries) + records > self.most
        if self.away or is_full:
            raise AuditUnavailable("the audit trail is unavailable")
