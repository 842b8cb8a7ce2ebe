"""What a command passes on its way to its handler, in one order, and what is logged, counted and
recorded of it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, assert_never

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from command_service.bus.child_queues import ChildQueues
from command_service.bus.command_bus import Command, CommandContext, CommandResult, Next
from command_service.bus.errors import AppendUnconfirmed, Forbidden, ParentNotFound
from command_service.bus.resilience import Backoff, CircuitBreaker, deadline
from command_service.child.account import AccountStatus
from command_service.child.commands import RegisterChild
from command_service.child.decider import in_normal_form
from command_service.child.errors import CommandRefused
from command_service.child.state import Child
from shared.audit.record import AuditTrail, AuditUnavailable, record_of, under_way
from shared.auth.access import Principal, Relation, refusal_of, relation_of
from shared.clock import Clock
from shared.event_store.envelope import StreamPosition
from shared.event_store.port import StoreUnavailable

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

log = structlog.get_logger(__name__)
threshold = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The bus's middleware: refuses what needs no I/O to be refused, waits for the child's turn,
    and bounds what a store that is away may cost. `timeout_seconds`: of the command's turn."""

    observer: "Observer"
    queues: ChildQueues
    breaker: CircuitBreaker
    timeout_seconds: float
    backoff: Backoff

    steps = (
        *("Logging", "Metrics", "Audit", "authorization", "validation"),
        *("ChildQueues", "CircuitBreaker", "Deadline", "Retry"),
    )

    async def __call__(
        self, command: Command, context: CommandContext, handle: Next
    ) -> CommandResult:
        with self.observer.watching(command, context) as watched:
            authorize(command, context.principal)
            normal = in_normal_form(command)
            async with self.queues.turn(command.child_id, context.principal):
                with self.breaker.watching():
                    async with deadline(self.timeout_seconds):
                        # what was offered may have landed: decided anew, it could become a second
                        # fact
                        watched.result = await self.backoff.run(
                            lambda: handle(normal, context),
                            is_final=lambda error: isinstance(error, AppendUnconfirmed),
                        )
            return watched.result


def allowed(principal: Principal, operation: str) -> Relation:
    """What the caller must be to the child; raises Forbidden where its role may not at all."""
    relation = relation_of(principal, operation)
    if relation is Relation.NONE:
        raise Forbidden(refusal_of(principal.role, operation))
    return relation


def authorize(command: Command, principal: Principal) -> None:
    """Whether the caller may send the command at all. Whose child it is, the handler checks."""
    relation = allowed(principal, type(command).__name__)
    if (
        isinstance(command, RegisterChild)
        and relation is Relation.OWN_FAMILY
        and command.parent_id != principal.subject
    ):
        raise ParentNotFound


def may_act_on(child: Child, subject: str, relation: Relation) -> bool:
    """Whether `subject` is to the child what `relation` asks for: known from the child itself,
    never from a claim in a token."""
    match relation:
        case Relation.OWN_FAMILY:
            return child.parent_id == subject
        case Relation.OWN_BEAR:
            # of a deactivated child no bear is known: it may be another family's by now
            device_id = child.profile.device_id if child.status is AccountStatus.ACTIVE else None
            return device_id is not None and device_id.value == subject
        case Relation.ALL:
            return True
        case Relation.NUMBERS | Relation.NONE:
            return False
        case _:
            assert_never(relation)


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


@dataclass(slots=True)
class Watched:
    """A command under way, and its result once it has one."""

    result: CommandResult | None = None


class Observer:
    """Logs, counts and records each command: names and ids, never a value.

    A command is taken on only while the audit trail has room for its record. Its answer does not
    wait for its record: the commit itself names who did what.
    """

    def __init__(self, trail: AuditTrail, clock: Clock, registry: CollectorRegistry) -> None:
        self._trail = trail
        self._reserved = 0
        self._clock = clock
        labels = ("command", "outcome")
        self._commands = Counter("teddy_commands", "Commands handled.", labels, registry=registry)
        self._seconds = Histogram(
            "teddy_command_seconds", "Time to handle.", labels, registry=registry, buckets=SECONDS
        )
        self._counted: dict[tuple[type[Any], str], tuple[Counter, Histogram]] = {}

    @contextmanager
    def watching(self, command: Command, context: CommandContext) -> Iterator[Watched]:
        """Tells what becomes of the command in the block, which leaves its result or raises. Raises
        AuditUnavailable instead of entering it."""
        started = time.perf_counter()
        watched, is_taken_on = Watched(), False
        try:
            self._trail.require_room(self._reserved + 1)
            is_taken_on = True
            yield watched
        except BaseException as error:
            outcome = outcome_of_error(error)
            if is_taken_on:
                self._note(command, context, outcome)
            self._count(command, outcome, started)
            if isinstance(error, Exception):
                level = logging.DEBUG if isinstance(error, CommandRefused) else logging.ERROR
                self._write(level, command, outcome, started)
            raise
        if watched.result is not None:
            self.done(command, context, watched.result, started)

    @contextmanager
    def room_for(self, commands: int) -> Iterator[None]:
        """Within the block the audit trail has room for their records. Raises AuditUnavailable
        instead of entering it."""
        self._trail.require_room(self._reserved + commands)
        self._reserved += commands
        try:
            yield
        finally:
            self._reserved -= commands

    def done(
        self, command: Command, context: CommandContext, result: CommandResult, started: float
    ) -> None:
        """Record what was carried out. `started`: seconds of `time.perf_counter`."""
        outcome = outcome_of(result)
        self._note(command, context, outcome, _anchor(result))
        self._count(command, outcome, started)
        self._write(logging.DEBUG, command, outcome, started)

    def _count(self, command: Command, outcome: str, started: float) -> None:
        counted = self._counted.get((type(command), outcome))
        if counted is None:  # looking up a metric's labels takes longer than counting
            labels = (type(command).__name__, outcome)
            counted = self._commands.labels(*labels), self._seconds.labels(*labels)
            self._counted[type(command), outcome] = counted
        commands, seconds = counted
        commands.inc()
        seconds.observe(time.perf_counter() - started)

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
        request = under_way.get()
        if request is not None:
            request.recorded = True
        name, children = type(command).__name__, (command.child_id,)
        entry = record_of(
            context.principal,
            name,
            outcome,
            self._clock(),
            context.correlation_id,
            children,
            anchor,
        )
        with suppress(AuditUnavailable):  # it has happened; the trail counts what it misses
            self._trail.note(entry)


def _anchor(result: CommandResult) -> StreamPosition | None:
    """Where the child's stream ends by this command; None where it changed nothing."""
    is_change = bool(result.events) and not result.replayed
    return StreamPosition(result.version, result.hash) if is_change else None
