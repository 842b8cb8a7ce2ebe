"""Who may send a command at all. Whose child it is, the handler checks."""

from command_service.command_bus import Command, CommandContext, CommandResult, Next
from command_service.domain.child.commands import RegisterChild
from command_service.domain.child.errors import CommandRefused
from shared.auth.access import Relation, refusal_of, relation_of
from shared.auth.principal import Principal


class Forbidden(CommandRefused):
    code = "forbidden"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class ParentNotFound(CommandRefused):
    """The caller may not act for this parent: never said whether there is one."""

    code = "parent-not-found"

    def __init__(self) -> None:
        super().__init__("there is no such parent for this caller")


def allowed(principal: Principal, operation: str) -> Relation:
    """What the caller must be to the child; raises Forbidden where its role may not at all."""
    relation = relation_of(principal, operation)
    if relation is Relation.NONE:
        raise Forbidden(refusal_of(principal.role, operation))
    return relation


async def authorization(command: Command, context: CommandContext, call: Next) -> CommandResult:
    relation = allowed(context.principal, type(command).__name__)
    if (
        isinstance(command, RegisterChild)
        and relation is Relation.OWN_FAMILY
        and command.parent_id != context.principal.subject
    ):
        raise ParentNotFound
    return await call(command, context)
