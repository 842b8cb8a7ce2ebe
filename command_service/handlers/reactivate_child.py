"""ReactivateChild: only while the bear is free."""

from dataclasses import replace

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import ReactivateChild
from command_service.domain.child.errors import DeviceIdTaken
from command_service.domain.child.normal_form import in_normal_form
from command_service.handlers.aggregate_cache import LoadedChild
from command_service.handlers.bear_claims import BearClaims, Wish
from command_service.handlers.decide_and_append import DecideAndAppend


class ReactivateChildHandler:
    def __init__(self, decide_and_append: DecideAndAppend, claims: BearClaims) -> None:
        self._decide_and_append = decide_and_append
        self._claims = claims

    def validate(self, command: ReactivateChild) -> None:
        in_normal_form(command)

    async def handle(self, command: ReactivateChild, context: CommandContext) -> CommandResult:
        """A child whose device id is another's by now returns without it: it could not be cleared
        before, and its history is worth more."""
        try:
            return await self._reactivate(command, context)
        except DeviceIdTaken:
            return await self._reactivate(replace(command, without_device=True), context)

    async def _reactivate(self, command: ReactivateChild, context: CommandContext) -> CommandResult:
        wishes: list[Wish] = []

        async def reserve_bear(loaded: LoadedChild) -> None:
            # our newer version keeps a late release of the deactivation from setting it free
            bear, version = loaded.child.profile, loaded.position.version
            device_id = None if command.without_device else bear.device_id
            wishes[:] = self._claims.wishes(
                command.child_id,
                version,
                context.causation_id,
                udid=bear.udid,
                device_id=device_id,
            )
            await self._claims.reserve(wishes)

        async with self._claims.unless_refused(wishes):
            change = await self._decide_and_append.change(command, context, reserve_bear)
        if change.result.replayed:
            await self._claims.give_back(wishes)  # it was for what happened before already
        return change.result
