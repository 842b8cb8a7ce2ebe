"""UpdateChildProfile: another device id only while no other active child has it."""

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import UNCHANGED, UpdateChildProfile
from command_service.domain.child.normal_form import in_normal_form
from command_service.handlers.aggregate_cache import LoadedChild
from command_service.handlers.bear_claims import BearClaims, Id, Wish
from command_service.handlers.decide_and_append import DecideAndAppend
from shared.personal import Personal


class UpdateProfileHandler:
    def __init__(self, decide_and_append: DecideAndAppend, claims: BearClaims) -> None:
        self._decide_and_append = decide_and_append
        self._claims = claims

    def validate(self, command: UpdateChildProfile) -> None:
        in_normal_form(command)

    async def handle(self, command: UpdateChildProfile, context: CommandContext) -> CommandResult:
        if command.device_id is UNCHANGED:
            return (await self._decide_and_append.change(command, context)).result
        wanted: Id = None if command.device_id is None else Personal(command.device_id)
        wishes: list[Wish] = []

        async def reserve_bear(loaded: LoadedChild) -> None:
            # its own is not reserved anew: until the append lands it would look abandoned
            if not self._claims.is_one_device(wanted, loaded.child.profile.device_id):
                version, by = loaded.position.version, context.causation_id
                wishes[:] = self._claims.wishes(command.child_id, version, by, device_id=wanted)
                await self._claims.reserve(wishes)

        async with self._claims.unless_refused(wishes):
            change = await self._decide_and_append.change(command, context, reserve_bear)
        if change.result.replayed:
            await self._claims.give_back(wishes)  # it was for what happened before already
        former = change.before.profile.device_id
        if not self._claims.is_one_device(wanted, former):
            await self._claims.release(command.child_id, change.result.version, device_id=former)
        return change.result
