"""ReactivateChild: only while the bear is free."""

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import ReactivateChild
from command_service.domain.child.normal_form import in_normal_form
from command_service.handlers.aggregate_cache import LoadedChild
from command_service.handlers.decide_and_append import DecideAndAppend
from command_service.handlers.udid_claims import UdidClaims


class ReactivateChildHandler:
    def __init__(self, decide_and_append: DecideAndAppend, claims: UdidClaims) -> None:
        self._decide_and_append = decide_and_append
        self._claims = claims

    def validate(self, command: ReactivateChild) -> None:
        in_normal_form(command)

    async def handle(self, command: ReactivateChild, context: CommandContext) -> CommandResult:
        async def reserve_bear(loaded: LoadedChild) -> None:
            udid = loaded.child.profile.udid
            if udid is None or udid.value is None:
                return  # erased meanwhile: the append will find out
            # our newer version keeps a late release of the deactivation from setting it free
            claim = self._claims.claim(udid.value, command.child_id, loaded.position.version)
            held = await self._claims.take(claim)
            if held is not None:
                await self._claims.contest(held, claim)

        return (await self._decide_and_append.change(command, context, reserve_bear)).result
