"""Which role may send which command at all. Whose child it is, the handler checks."""

from collections.abc import Mapping
from typing import get_args

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.domain.child.commands import (
    ConfigureAlerts,
    DeactivateChild,
    EndConversation,
    EraseChild,
    ReactivateChild,
    RecordMessage,
    RegisterChild,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    StartConversation,
    UpdateChildProfile,
)
from command_service.domain.child.errors import CommandRefused
from shared.auth.principal import Role


class Forbidden(CommandRefused):
    code = "forbidden"

    def __init__(self, message: str) -> None:
        super().__init__(message)


ALLOWED: Mapping[Role, frozenset[type[Command]]] = {
    Role.PARENT: frozenset(
        {
            RegisterChild,
            UpdateChildProfile,
            ConfigureAlerts,
            DeactivateChild,
            ReactivateChild,
            EraseChild,
            ReportSafetyViolation,
        }
    ),
    Role.DEVICE: frozenset(
        {StartConversation, RecordMessage, EndConversation, ReportSafetyViolation}
    ),
    Role.SAFETY_OFFICER: frozenset({ReportSafetyViolation, ResolveSafetyViolation}),
    Role.ANALYST: frozenset(),
    Role.ADMIN: frozenset(get_args(Command)),
}


async def authorization(command: Command, context: CommandContext, call: Next) -> CommandResult:
    principal = context.principal
    if type(command) not in ALLOWED[principal.role]:
        raise Forbidden(f"the role {principal.role.value} may not send {type(command).__name__}")
    if (
        isinstance(command, RegisterChild)
        and principal.role is Role.PARENT
        and command.parent_id != principal.subject
    ):
        raise Forbidden("a parent registers only children of their own")
    return await call(command, context)
