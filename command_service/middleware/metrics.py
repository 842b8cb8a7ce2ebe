"""How many commands ended how, and how long they took."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.middleware.outcome import outcome_of, outcome_of_error

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
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
            result = await call(command, context)
        except BaseException as error:
            self._count(command, outcome_of_error(error), started)
            raise
        self._count(command, outcome_of(result), started)
        return result

    def _count(self, command: Command, outcome: str, started: float) -> None:
        labels = (type(command).__name__, outcome)
        self._commands.labels(*labels).inc()
        self._seconds.labels(*labels).observe(time.perf_counter() - started)
