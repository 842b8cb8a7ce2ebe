"""DeactivateChild: the bear is free again once the event is a fact."""

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import DeactivateChild
from command_service.domain.child.normal_form import in_normal_form
from command_service.handlers.bear_claims import BearClaims
from command_service.handlers.decide_and_append import DecideAndAppend


class DeactivateChildHandler:
    def __init__(self, decide_and_append: DecideAndAppend, claims: BearClaims) -> None:
        self._decide_and_append = decide_and_append
        self._claims = claims

    def validate(self, command: DeactivateChild) -> None:
        in_normal_form(command)

    async def handle(self, command: DeactivateChild, context: CommandContext) -> CommandResult:
        change = await self._decide_and_append.change(command, context)
        # also on a repeated request: the first may have ended before this
        bear = change.before.profile
        await self._claims.release(
            command.child_id, change.result.version, udid=bear.udid, device_id=bear.device_id
        )
        return change.result
