"""EraseChild: append the fact, then destroy what could still be read."""

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import EraseChild
from command_service.domain.child.normal_form import in_normal_form
from command_service.handlers.aggregates import Aggregates
from command_service.handlers.decide_and_append import DecideAndAppend
from command_service.handlers.udid_claims import UdidClaims
from shared.keyring.keyring import Keyring


class EraseChildHandler:
    def __init__(
        self,
        decide_and_append: DecideAndAppend,
        aggregates: Aggregates,
        claims: UdidClaims,
        keyring: Keyring,
    ) -> None:
        self._decide_and_append = decide_and_append
        self._aggregates = aggregates
        self._claims = claims
        self._keyring = keyring

    def validate(self, command: EraseChild) -> None:
        in_normal_form(command)

    async def handle(self, command: EraseChild, context: CommandContext) -> CommandResult:
        """Asked again, it completes what a crash or an absent store left over."""
        change = await self._decide_and_append.change(command, context)
        udid = change.before.profile.udid
        if udid is not None and udid.value is not None:
            await self._claims.release(udid.value, command.child_id, change.result.version)
        await self._keyring.destroy(command.child_id)
        await self._aggregates.forget(command.child_id)
        return change.result
