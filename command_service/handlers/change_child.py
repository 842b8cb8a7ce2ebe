"""Commands that need nothing but their child."""

from command_service.command_bus import Command, CommandContext, CommandResult
from command_service.domain.child.normal_form import in_normal_form
from command_service.handlers.decide_and_append import DecideAndAppend


class ChangeChild:
    def __init__(self, decide_and_append: DecideAndAppend) -> None:
        self._decide_and_append = decide_and_append

    def validate(self, command: Command) -> None:
        in_normal_form(command)

    async def handle(self, command: Command, context: CommandContext) -> CommandResult:
        return (await self._decide_and_append.change(command, context)).result
