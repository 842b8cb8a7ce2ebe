"""Refuses malformed commands before any I/O."""

from command_service.command_bus import (
    Command,
    CommandBus,
    CommandContext,
    CommandResult,
    Middleware,
    Next,
)


def validation(bus: CommandBus) -> Middleware:
    """Calls `validate` of the handler that `bus` has for the command."""

    async def validation(command: Command, context: CommandContext, call: Next) -> CommandResult:
        bus.handler_of(command).validate(command)
        return await call(command, context)

    return validation
