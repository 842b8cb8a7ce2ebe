"""While the store is known to be away, commands hear so at once instead of waiting for it."""

from collections.abc import Callable

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.domain.child.errors import CommandRefused
from shared.event_store.port import StoreUnavailable

FAILURES_TO_OPEN = 5
PROBE_EVERY_SECONDS = 0.5


class CircuitBreaker:
    """Opens when `FAILURES_TO_OPEN` commands in a row found the store away.

    While it is open one command at a time, and one each `PROBE_EVERY_SECONDS`, is let through: the
    first that succeeds closes it. `monotonic` gives seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._probing = False
        self._probe_at = 0.0

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        if self._failures < FAILURES_TO_OPEN:
            return await self._observe(command, context, call)
        if self._probing or self._monotonic() < self._probe_at:
            raise StoreUnavailable("known to be away")
        self._probing = True
        try:
            return await self._observe(command, context, call)
        finally:
            self._probing = False

    async def _observe(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        try:
            result = await call(command, context)
        except StoreUnavailable:
            self._failures += 1
            self._probe_at = self._monotonic() + PROBE_EVERY_SECONDS
            raise
        except CommandRefused:
            raise  # tells nothing: a command may be refused without asking the store
        self._failures = 0
        return result
