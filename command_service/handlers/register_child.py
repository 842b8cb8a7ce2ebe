"""RegisterChild: reserve the bear, make the child's key, append the first event."""

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import RegisterChild
from command_service.domain.child.decide import decide
from command_service.domain.child.errors import ChildErasedError
from command_service.handlers.aggregates import Aggregates
from command_service.handlers.append import Appender
from command_service.handlers.bear_claims import BearClaims, Wish
from command_service.handlers.errors import ConcurrentUpdate
from command_service.handlers.stored_results import StoredResults, result_of
from command_service.handlers.stream_folding import BEFORE_REGISTRATION
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
        if stored is not None:
            return stored
        async with self._claims.unless_refused(wishes):
            stored = await self._reserve_bear(wishes, command, context)
            return stored or await self._append(command, context, events)

    async def _reserve_bear(
        self, wishes: list[Wish], command: RegisterChild, context: CommandContext
    ) -> CommandResult | None:
        """The stored result if this registration was done before; else the bear is ours."""
        for wish in wishes:
            held = await self._claims.take(wish)
            if held is None:
                continue
            stored = await self._results.find(command, context.request)
            if stored is not None:
                return stored
            try:
                await self._claims.contest(wish, held)
            except VersionConflict:
                raise ConcurrentUpdate from None
        return None

    async def _append(
        self, command: RegisterChild, context: CommandContext, events: list[ChildEvent]
    ) -> CommandResult:
        start = BEFORE_REGISTRATION
        try:
            cipher = await self._keyring.create(command.child_id)
        except KeyDestroyed:
            raise ChildErasedError from None  # its id was given out before, under this key
        try:
            commit = await self._appender.append(command, context, start.position, events, cipher)
        except AlreadyCommitted as already:
            # another request under the key has the first one's child, but not its bear
            return await self._results.replayed(already.commit, command, context.request)
        except VersionConflict:
            raise ConcurrentUpdate from None
        await self._aggregates.remember(start, commit, events, cipher)
        return result_of(commit)
