"""Who asked for what, and what became of it: accepted and refused commands alike."""

from dataclasses import dataclass
from typing import Protocol

import structlog

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.middleware.outcome import outcome_of, outcome_of_error


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """`outcome` is accepted, unchanged, replayed, a refusal's code, store-unavailable, failed."""

    subject: str
    role: str
    command: str
    child_id: str
    outcome: str
    correlation_id: str


class AuditTrail(Protocol):
    def record(self, entry: AuditRecord) -> None: ...


class LoggedAuditTrail:
    """Writes the trail as structured log lines named `audit`."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("audit")

    def record(self, entry: AuditRecord) -> None:
        self._log.info(
            "audit",
            subject=entry.subject,
            role=entry.role,
            command=entry.command,
            child_id=entry.child_id,
            outcome=entry.outcome,
            correlation_id=entry.correlation_id,
        )


class Audit:
    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        try:
            result = await call(command, context)
        except BaseException as error:
            self._record(command, context, outcome_of_error(error))
            raise
        self._record(command, context, outcome_of(result))
        return result

    def _record(self, command: Command, context: CommandContext, outcome: str) -> None:
        entry = AuditRecord(
            subject=context.principal.subject,
            role=context.principal.role.value,
            command=type(command).__name__,
            child_id=command.child_id,
            outcome=outcome,
            correlation_id=context.correlation_id,
        )
        self._trail.record(entry)
