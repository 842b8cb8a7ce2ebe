"""Who asked for what, and what became of it: accepted and refused commands alike."""

from contextlib import suppress

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.middleware.outcome import outcome_of, outcome_of_error
from shared.audit.record import AuditRecord, children_of
from shared.audit.trail import AuditTrail, AuditUnavailable
from shared.clock import Clock
from shared.envelope import StreamPosition
from shared.http.audit_edge import asked_now


class Audit:
    """A command is taken on only while there is room to tell of it. Its answer does not wait for
    its record: the commit itself names who did what."""

    def __init__(self, trail: AuditTrail, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        self._trail.require_room()
        try:
            result = await call(command, context)
        except BaseException as error:
            self._note(command, context, outcome_of_error(error))
            raise
        is_change = bool(result.events) and not result.replayed
        anchor = StreamPosition(result.version, result.hash) if is_change else None
        self._note(command, context, outcome_of(result), anchor)
        return result

    def _note(
        self,
        command: Command,
        context: CommandContext,
        outcome: str,
        anchor: StreamPosition | None = None,
    ) -> None:
        asked = asked_now()
        if asked is not None:
            asked.recorded = True
        entry = AuditRecord(
            at=self._clock(),
            subject=context.principal.on_record,
            role=context.principal.role.value,
            operation=type(command).__name__,
            outcome=outcome,
            address=asked.address if asked else "",
            correlation_id=context.correlation_id,
            children=children_of([command.child_id]),
            anchor=anchor,
        )
        with suppress(AuditUnavailable):  # it has happened; the trail counts what it misses
            self._trail.note(entry)
