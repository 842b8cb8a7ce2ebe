"""A line a command for those who run the service. Names and ids, never a value."""

import logging
import time

import structlog

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.domain.child.errors import CommandRefused
from command_service.middleware.outcome import outcome_of, outcome_of_error

log = structlog.get_logger(__name__)
threshold = logging.getLogger(__name__)


class Logging:
    """Done and refused commands are the audit trail's at INFO, so here they are DEBUG; what failed
    is an ERROR."""

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        started = time.perf_counter()
        try:
            result = await call(command, context)
        except CommandRefused as refusal:
            self._write(logging.DEBUG, command, outcome_of_error(refusal), started)
            raise
        except Exception as error:
            self._write(logging.ERROR, command, outcome_of_error(error), started)
            raise
        self._write(logging.DEBUG, command, outcome_of(result), started)
        return result

    def _write(self, level: int, command: Command, outcome: str, started: float) -> None:
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
