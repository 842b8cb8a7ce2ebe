"""One bound on a command as a whole, whatever it waits for and however often it tries again."""

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from shared.event_store.port import StoreUnavailable
from shared.time_limit import time_limit


class Deadline:
    """Ends a command after `seconds`. What it offered to the store by then may land later: the
    same request under its idempotency key finds out."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        try:
            async with time_limit(self._seconds):
                return await call(command, context)
        except TimeoutError:
            raise StoreUnavailable(f"no answer within {self._seconds:g} s") from None
