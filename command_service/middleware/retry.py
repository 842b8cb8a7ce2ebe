"""Starts a command again when the store was briefly away before anything was offered to it."""

from command_service.backoff import Backoff
from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.handlers.append import AppendUnconfirmed


class Retry:
    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff

    async def __call__(
        self, command: Command, context: CommandContext, call: Next
    ) -> CommandResult:
        # what was offered may have landed: decided anew, it could become a second fact
        return await self._backoff.run(
            lambda: call(command, context),
            is_final=lambda error: isinstance(error, AppendUnconfirmed),
        )
