"""The way of every command about a known child."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce

import structlog

from command_service.aggregates.repository import Aggregates
from command_service.aggregates.snapshots import LoadedChild
from command_service.bus.command_bus import Command, CommandContext, CommandResult, SentCommand
from command_service.bus.errors import ConcurrentUpdate, KeyUnavailable
from command_service.bus.pipeline import may_act_on
from command_service.child.account import AccountStatus
from command_service.child.commands import EraseChild
from command_service.child.decider import decide, evolve
from command_service.child.errors import ChildErasedError, ChildNotFound, CommandRefused
from command_service.child.state import Child
from command_service.handlers.append import Appender, StoredResults, result_of
from shared.auth.access import relation_of
from shared.event_store.envelope import Commit, seal_commit
from shared.event_store.port import VersionConflict
from shared.events.child import ChildEvent
from shared.keyring.keyring import ChildCipher, Keyring, SealBroken, UnknownKek

log = structlog.get_logger(__name__)

ATTEMPTS = 3

Prepare = Callable[[LoadedChild], Awaitable[None]]
"""Runs between deciding and appending; may refuse the command or raise VersionConflict."""

Load = Callable[[str], Awaitable[LoadedChild | None]]


@dataclass(frozen=True, slots=True)
class Change:
    """`before` is the child that the command was decided on."""

    before: Child
    result: CommandResult


async def nothing_to_prepare(_: LoadedChild) -> None:
    return None


@dataclass(frozen=True, slots=True)
class DecideAndAppend:
    aggregates: Aggregates
    keyring: Keyring
    appender: Appender
    results: StoredResults

    async def __call__(
        self,
        command: Command,
        context: CommandContext,
        prepare: Prepare = nothing_to_prepare,
        load: Load | None = None,
    ) -> Change:
        """`load`: gives what of the child the command is decided by, unless that is all of it.
        Raises CommandRefused or StoreUnavailable."""
        load = load or self.aggregates.current
        remembered = self.aggregates.remembered(command.child_id)
        if remembered is not None:
            # what is remembered may be stale: good enough to append, but only the store's own word
            # is good enough to refuse
            with suppress(CommandRefused, VersionConflict):
                change = await self._attempt(command, context, remembered, prepare)
                if change is not None:
                    return change
        for _ in range(ATTEMPTS):
            current = await load(command.child_id)
            if current is None:
                raise ChildNotFound
            with suppress(VersionConflict):
                return await self._settle(command, context, current, prepare)
        raise ConcurrentUpdate

    async def together(self, sent: Sequence[SentCommand]) -> list[CommandResult]:
        """Carry out the first of `sent`, all of one child, each decided on what the one before it
        does, as one append of a commit each: the results of those that landed.

        It ends before the first that needs more than that, which may be the very first one: one
        that is refused, changes nothing or was done before. Those are for `__call__`, which asks
        the store. Raises StoreUnavailable: then the first few may have landed.
        """
        if self.results.older.exist:
            return []
        child_id = sent[0].command.child_id
        loaded = self.aggregates.remembered(child_id) or await self.aggregates.current(child_id)
        if loaded is None:
            return []
        try:
            cipher = await self._cipher(sent[0].command)
        except VersionConflict:  # erased meanwhile
            return []
        steps = self._decided_in_order(sent, loaded, cipher)
        landed = await self.appender.store.append_in_order([commit for commit, _ in steps])
        if landed:
            last, child = steps[landed - 1]
            await self.aggregates.remember(loaded, child, last, cipher)
        return [result_of(commit) for commit, _ in steps[:landed]]

    def _decided_in_order(
        self, sent: Sequence[SentCommand], loaded: LoadedChild, cipher: ChildCipher | None
    ) -> list[tuple[Commit, Child]]:
        """The commit of each of the first, and the child after it."""
        child, position = loaded.child, loaded.position
        steps: list[tuple[Commit, Child]] = []
        for command, context in sent:
            try:
                events = _decided(command, context, child)
            except CommandRefused:
                break
            if not events:
                break
            offer = self.appender.offer_of(command, context, position, events, cipher)
            child = reduce(evolve, events, child)
            steps.append((commit := seal_commit(offer), child))
            position = commit.position
        return steps

    async def _settle(
        self, command: Command, context: CommandContext, current: LoadedChild, prepare: Prepare
    ) -> Change:
        """A command that was done before under its key is a repetition, not a mistake."""
        try:
            change = await self._attempt(command, context, current, prepare)
        except (ChildNotFound, ChildErasedError):
            raise  # whatever else the key was used for
        except CommandRefused:
            stored = await self.results.find(command, context.request)
            if stored is None:
                raise
            return Change(current.child, stored)
        if change is not None:
            return change
        return Change(current.child, await self._unchanged(command, context, current))

    async def _unchanged(
        self, command: Command, context: CommandContext, current: LoadedChild
    ) -> CommandResult:
        """Keeps the key, so that a later repetition is no new command: by then the same request
        might undo what others did. One key is stored once, whether events came with it or not:
        decided differently at the same moment, the first that is stored answers both."""
        if context.request is None:
            return CommandResult(command.child_id, current.position.version, ())
        stored = await self.results.find_older(command, context.request)
        if stored is not None:
            return stored
        cipher = await self._cipher(command)
        return await self.appender.append(command, context, current, (), cipher)

    async def _attempt(
        self, command: Command, context: CommandContext, loaded: LoadedChild, prepare: Prepare
    ) -> Change | None:
        """None when there is nothing to append: the command is true of the child already."""
        events = _decided(command, context, loaded.child)
        if not events:
            return None
        stored = await self.results.find_older(command, context.request)
        if stored is not None:
            return Change(loaded.child, stored)
        await prepare(loaded)
        cipher = await self._cipher(command)
        result = await self.appender.append(command, context, loaded, events, cipher)
        return Change(loaded.child, result)

    async def _cipher(self, command: Command) -> ChildCipher | None:
        """None for an erasure: it has nothing to seal, and needs nothing that opens."""
        if isinstance(command, EraseChild):
            return None
        try:
            cipher = await self.keyring.cipher(command.child_id)
        except (SealBroken, UnknownKek) as error:
            log.warning(
                "data_key_not_decrypted", child_id=command.child_id, error=type(error).__name__
            )
            raise KeyUnavailable from error
        if cipher is None:
            raise await self._without_key(command.child_id)
        return cipher

    async def _without_key(self, child_id: str) -> Exception:
        """A missing key means erased meanwhile: decide again. Or it was lost, which must not be."""
        loaded = await self.aggregates.current(child_id)
        if loaded is not None and loaded.child.status is AccountStatus.ERASED:
            return VersionConflict(child_id, loaded.position.version)
        log.error("data_key_missing", child_id=child_id)
        return KeyUnavailable()


def _decided(command: Command, context: CommandContext, child: Child) -> list[ChildEvent]:
    """Raises CommandRefused; ChildNotFound also where the caller is not who may send it."""
    principal = context.principal
    relation = relation_of(principal, type(command).__name__)
    if not may_act_on(child, principal.subject, relation):
        raise ChildNotFound
    return decide(command, child)
