"""What is told of each command: a log line, metrics and a record in the audit trail."""

import logging
import time
from contextlib import suppress

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from command_service.bus.command_bus import Command, CommandContext, CommandResult, Next
from command_service.child.errors import CommandRefused
from shared.audit.record import AuditRecord, AuditTrail, AuditUnavailable, children_of
from shared.clock import Clock
from shared.event_store.envelope import StreamPosition
from shared.event_store.port import StoreUnavailable
from shared.http.audit_edge import asked_now

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

log = structlog.get_logger(__name__)
threshold = logging.getLogger(__name__)


def outcome_of(result: CommandResult) -> str:
    """`accepted`, `unchanged` or `replayed`."""
    if result.replayed:
        return "replayed"
    return "accepted" if result.events else "unchanged"


def outcome_of_error(error: BaseException) -> str:
    """The code of a refusal, `store-unavailable`, or `failed`."""
    if isinstance(error, CommandRefused):
        return error.code
    return "store-unavailable" if isinstance(error, StoreUnavailable) else "failed"


class Observing:
    """Logs, counts and records each command: names and ids, never a value.

    A command is taken on only while the audit trail has room to tell of it. Its answer does not
    wait for its record: the commit itself names who did what.
    """

    steps = ("Logging", "Metrics", "Audit")

    def __init__(self, trail: AuditTrail, clock: Clock, registry: CollectorRegistry) -> None:
        self._trail = trail
        self._clock = clock
        labels = ("command", "outcome")
        self._commands = Counter("teddy_commands", "Commands handled.", labels, registry=registry)
        self._seconds = Histogram(
            "teddy_command_seconds", "Time to handle.", labels, registry=registry, buckets=SECONDS
        )

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        started = time.perf_counter()
        try:
            self._trail.require_room()
            result = await self._recorded(command, context, call)
        except BaseException as error:
            outcome = outcome_of_error(error)
            self._count(command, outcome, started)
            if isinstance(error, Exception):
                is_refused = isinstance(error, CommandRefused)
                self._write(
                    logging.DEBUG if is_refused else logging.ERROR, command, outcome, started
                )
            raise
        outcome = outcome_of(result)
        self._count(command, outcome, started)
        self._write(logging.DEBUG, command, outcome, started)
        return result

    async def _recorded(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        try:
            result = await call(command, context)
        except BaseException as error:
            self._note(command, context, outcome_of_error(error))
            raise
        is_change = bool(result.events) and not result.replayed
        anchor = StreamPosition(result.version, result.hash) if is_change else None
        self._note(command, context, outcome_of(result), anchor)
        return result

    def _count(self, command: Command, outcome: str, started: float) -> None:
        labels = (type(command).__name__, outcome)
        self._commands.labels(*labels).inc()
        self._seconds.labels(*labels).observe(time.perf_counter() - started)

    def _write(self, level: int, command: Command, outcome: str, started: float) -> None:
        """Done and refused commands are the audit trail's at INFO, so here they are DEBUG; what
        failed is an ERROR."""
        if not threshold.isEnabledFor(level):
            return  # before the line is made: every command comes by here
        log.log(
            level,
            "command",
            command=type(command).__name__,
            child_id=command.child_id,
            outcome=outcome,
            ms=round((time.perf_counter() - started) * 1_000, 2),
        )

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
