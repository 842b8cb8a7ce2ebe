"""RegisterChild: reserve the bear, make the child's key, append the first event."""

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import RegisterChild
from command_service.domain.child.decide import decide
from command_service.domain.child.errors import ChildErasedError, CommandRefused
from command_service.handlers.aggregates import BEFORE_REGISTRATION, Aggregates
from command_service.handlers.append import Appender
from command_service.handlers.bear_claims import BearClaims, Wish
from command_service.handlers.errors import ConcurrentUpdate
from command_service.handlers.stored_results import StoredResults, result_of
from shared.envelope import Commit
from shared.event_store.port import AlreadyCommitted, VersionConflict
from shared.events.child import ChildEvent, ChildRegistered
from shared.keyring.key_store import KeyDestroyed
from shared.keyring.keyring import Keyring


class RegisterChildHandler:
    def __init__(
        self,
        aggregates: Aggregates,
        claims: BearClaims,
        keyring: Keyring,
        appender: Appender,
        results: StoredResults,
    ) -> None:
        self._aggregates = aggregates
        self._claims = claims
        self._keyring = keyring
        self._appender = appender
        self._results = results

    def validate(self, command: RegisterChild) -> None:
        """Left to `handle`, which needs no I/O to decide about a child that is not there yet."""

    async def handle(self, command: RegisterChild, context: CommandContext) -> CommandResult:
        events = decide(command, BEFORE_REGISTRATION.child)
        child = next(event for event in events if isinstance(event, ChildRegistered))
        wishes = self._claims.wishes(
            command.child_id, 0, context.causation_id, udid=child.udid, device_id=child.device_id
        )
        stored = await self._results.find_older(command, context.request)
        stored = stored or await self._reserve_bear(wishes, command, context)
        return stored or await self._append(command, context, wishes, events)

    async def _reserve_bear(
        self, wishes: list[Wish], command: RegisterChild, context: CommandContext
    ) -> CommandResult | None:
        """The stored result if this registration was done before; else the bear is ours."""
        try:
            for wish in wishes:
                held = await self._claims.take(wish)
                if held is None:
                    continue
                stored = await self._results.find(command, context.request)
                if stored is not None:
                    return stored
                await self._claims.contest(wish, held)
        except VersionConflict:
            raise ConcurrentUpdate from None
        except CommandRefused:
            await self._claims.give_back(wishes)
            raise
        return None

    async def _append(
        self,
        command: RegisterChild,
        context: CommandContext,
        wishes: list[Wish],
        events: list[ChildEvent],
    ) -> CommandResult:
        start = BEFORE_REGISTRATION
        try:
            cipher = await self._keyring.create(command.child_id)
        except KeyDestroyed:
            # its id was given out before, under this key: no bear is kept for who is erased
            await self._claims.remove_of(command.child_id)
            raise ChildErasedError from None
        try:
            commit = await self._appender.append(command, context, start.position, events, cipher)
        except AlreadyCommitted as already:
            return await self._replayed(already.commit, command, context, wishes)
        except VersionConflict:
            raise ConcurrentUpdate from None
        await self._aggregates.remember(start, commit, events, cipher)
        return result_of(commit)

    async def _replayed(
        self, commit: Commit, command: RegisterChild, context: CommandContext, wishes: list[Wish]
    ) -> CommandResult:
        """Another request under the key has the first one's child, but not its bear."""
        try:
            return await self._results.replayed(commit, command, context.request)
        except ChildErasedError:
            await self._claims.remove_of(command.child_id)
            raise
        except CommandRefused:
            await self._claims.give_back(wishes)
            raise
