"""What each command needs beside its decision: the bear reserved or set free, a key made."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from command_service.aggregates.snapshots import BEFORE_REGISTRATION, LoadedChild
from command_service.bus.command_bus import Command, CommandContext, CommandResult, SentCommand
from command_service.bus.errors import ConcurrentUpdate
from command_service.child.commands import (
    UNCHANGED,
    ConfigureAlerts,
    DeactivateChild,
    ReactivateChild,
    RegisterChild,
    UpdateChildProfile,
)
from command_service.child.decider import decide
from command_service.child.errors import ChildErasedError, DeviceIdTaken, FieldError, InvalidCommand
from command_service.claims.bear_claims import BearClaims, Id, WantedClaim
from command_service.handlers.append import Appender, StoredResults
from command_service.handlers.decide_and_append import Change, DecideAndAppend
from shared.event_store.port import VersionConflict
from shared.events.child import AlertChannel, ChildEvent, ChildRegistered
from shared.events.personal import Personal
from shared.keyring.key_store import KeyDestroyed
from shared.keyring.keyring import Keyring


@dataclass(frozen=True, slots=True)
class RegisterChildHandler:
    """Reserve the bear, make the child's key, append the first event."""

    claims: BearClaims
    keyring: Keyring
    appender: Appender
    results: StoredResults

    async def handle(self, command: RegisterChild, context: CommandContext) -> CommandResult:
        events = decide(command, BEFORE_REGISTRATION.child)
        child = next(event for event in events if isinstance(event, ChildRegistered))
        wanted = self.claims.wanted(
            command.child_id, 0, context.causation_id, udid=child.udid, device_id=child.device_id
        )
        stored = await self.results.find_older(command, context.request)
        if stored is not None:
            return stored
        async with self.claims.given_back_on_refusal(wanted):
            stored = await self._reserve_bear(wanted, command, context)
            return stored or await self._append(command, context, events)

    async def _reserve_bear(
        self, wanted: list[WantedClaim], command: RegisterChild, context: CommandContext
    ) -> CommandResult | None:
        """The stored result if this registration was done before; else the bear is ours."""
        async for each, held in self.claims.in_the_way(wanted):
            stored = await self.results.find(command, context.request)
            if stored is not None:
                return stored
            try:
                await self.claims.contest(each, held)
            except VersionConflict:
                raise ConcurrentUpdate from None
        return None

    async def _append(
        self, command: RegisterChild, context: CommandContext, events: list[ChildEvent]
    ) -> CommandResult:
        try:
            cipher = await self.keyring.create(command.child_id)
        except KeyDestroyed:
            raise ChildErasedError from None  # its id was given out before, under this key
        try:
            # another request under its key has the first one's child, but not its bear
            return await self.appender.append(command, context, BEFORE_REGISTRATION, events, cipher)
        except VersionConflict:
            raise ConcurrentUpdate from None


@dataclass(frozen=True, slots=True)
class ChangeChild:
    """Of commands that need nothing but their child."""

    decide_and_append: DecideAndAppend

    async def handle(self, command: Command, context: CommandContext) -> CommandResult:
        return (await self.decide_and_append(command, context)).result

    async def handle_together(self, sent: Sequence[SentCommand]) -> list[CommandResult]:
        return await self.decide_and_append.together(sent)


@dataclass(frozen=True, slots=True)
class ConfigureAlertsHandler:
    """A policy names only channels that the operator set up."""

    decide_and_append: DecideAndAppend
    configured: AbstractSet[AlertChannel]

    async def handle(self, command: ConfigureAlerts, context: CommandContext) -> CommandResult:
        async def prepare(_: LoadedChild) -> None:
            self._require_configured(command)

        # not before: the repetition of what was accepted has the answer of then
        return (await self.decide_and_append(command, context, prepare)).result

    def _require_configured(self, command: ConfigureAlerts) -> None:
        missing = [channel for channel in command.channels if channel not in self.configured]
        if missing:
            names = ", ".join(missing)
            message = f"names {names}, which are not configured on this system"
            usable = ", ".join(sorted(self.configured))
            raise InvalidCommand([FieldError("channels", message, usable)])


@dataclass(frozen=True, slots=True)
class UpdateProfileHandler:
    """Another device id only while no other active child has it."""

    decide_and_append: DecideAndAppend
    claims: BearClaims

    async def handle(self, command: UpdateChildProfile, context: CommandContext) -> CommandResult:
        if command.device_id is UNCHANGED:
            return (await self.decide_and_append(command, context)).result
        device_id: Id = None if command.device_id is None else Personal(command.device_id)

        def wanted_of(loaded: LoadedChild) -> Sequence[WantedClaim]:
            # its own is not reserved anew: until the append lands it would look abandoned
            if self.claims.is_one_device(device_id, loaded.child.profile.device_id):
                return ()
            version, by = loaded.position.version, context.causation_id
            return self.claims.wanted(command.child_id, version, by, device_id=device_id)

        change = await _reserving(self.decide_and_append, self.claims, command, context, wanted_of)
        former = change.before.profile.device_id
        if not self.claims.is_one_device(device_id, former):
            await self.claims.release(command.child_id, change.result.version, device_id=former)
        return change.result


@dataclass(frozen=True, slots=True)
class DeactivateChildHandler:
    """The bear is free again once the event is a fact."""

    decide_and_append: DecideAndAppend
    claims: BearClaims

    async def handle(self, command: DeactivateChild, context: CommandContext) -> CommandResult:
        change = await self.decide_and_append(command, context)
        # also on a repeated request: the first may have ended before this
        bear = change.before.profile
        await self.claims.release(
            command.child_id, change.result.version, udid=bear.udid, device_id=bear.device_id
        )
        return change.result


@dataclass(frozen=True, slots=True)
class ReactivateChildHandler:
    """Only while the bear is free."""

    decide_and_append: DecideAndAppend
    claims: BearClaims

    async def handle(self, command: ReactivateChild, context: CommandContext) -> CommandResult:
        """A child whose device id is another's by now returns without it: it could not be cleared
        before, and its history is worth more."""
        try:
            return await self._reactivate(command, context)
        except DeviceIdTaken:
            return await self._reactivate(replace(command, without_device=True), context)

    async def _reactivate(self, command: ReactivateChild, context: CommandContext) -> CommandResult:
        def wanted_of(loaded: LoadedChild) -> Sequence[WantedClaim]:
            # our newer version keeps a late release of the deactivation from setting it free
            bear, version, by = loaded.child.profile, loaded.position.version, context.causation_id
            device_id = None if command.without_device else bear.device_id
            return self.claims.wanted(
                command.child_id, version, by, udid=bear.udid, device_id=device_id
            )

        change = await _reserving(self.decide_and_append, self.claims, command, context, wanted_of)
        return change.result


async def _reserving(
    decide_and_append: DecideAndAppend,
    claims: BearClaims,
    command: Command,
    context: CommandContext,
    wanted_of: Callable[[LoadedChild], Sequence[WantedClaim]],
) -> Change:
    """The change, with what it needs of the child that it is decided on reserved before it."""
    wanted: list[WantedClaim] = []

    async def reserve_bear(loaded: LoadedChild) -> None:
        if found := wanted_of(loaded):
            wanted[:] = found
            await claims.reserve(wanted)

    async with claims.given_back_on_refusal(wanted):
        change = await decide_and_append(command, context, reserve_bear)
    if change.result.replayed:
        await claims.give_back(wanted)  # it was for what happened before already
    return change
