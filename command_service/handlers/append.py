"""Events sealed and offered to the event store once; a repeated request gets the first result."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from command_service.aggregates.repository import Aggregates
from command_service.aggregates.snapshots import LoadedChild
from command_service.bus.command_bus import Command, CommandContext, CommandResult, SentRequest
from command_service.bus.errors import AppendUnconfirmed, IdempotencyKeyReused, KeyUnavailable
from command_service.bus.resilience import Backoff
from command_service.child.commands import EraseChild, ReportSafetyViolation, StartConversation
from command_service.child.decider import evolve
from command_service.child.errors import ChildErasedError
from command_service.handlers.older_keys import OlderKeys
from shared.clock import Clock
from shared.event_store.envelope import (
    Actor,
    Causality,
    Commit,
    Idempotency,
    NewCommit,
    StreamPosition,
)
from shared.event_store.port import AlreadyCommitted, EventStore, StoreUnavailable
from shared.events.child import ChildEvent, SafetyViolationReported
from shared.keyring.keyring import ChildCipher, ClosedCipher, Keyring
from shared.serialization.events import encode

IGNORED = "ignored"
"""In a stored result: the request's field that was left out."""

ERASURE = "erasure"
"""The print of every request to erase a child: its path says it all, and the child's key, under
which others have theirs, goes with it."""


@dataclass(frozen=True, slots=True)
class StoredResults:
    store: EventStore
    keyring: Keyring
    older: OlderKeys

    async def find(self, command: Command, request: SentRequest | None) -> CommandResult | None:
        """Raises what `replayed` raises."""
        if request is None:
            return None
        older = self.older.key_of(request) if self.older.exist else None
        commit = await self.store.find_by_idempotency_key(request.key, older)
        return None if commit is None else await self.replayed(commit, command, request)

    async def find_older(
        self, command: Command, request: SentRequest | None
    ) -> CommandResult | None:
        """Before an append: the store refuses a second commit with a key of today, but does not
        know that one of an earlier release is the same. Raises what `replayed` raises."""
        return await self.find(command, request) if self.older.exist else None

    async def replayed(
        self, commit: Commit, command: Command, request: SentRequest | None
    ) -> CommandResult:
        """The result that `commit` gave, which keeps the key of `request`.

        Raises IdempotencyKeyReused when it was another request's, ChildErasedError when that cannot
        be known any more: then it is refused as every command about the child.
        """
        if commit.idempotency is None or request is None:
            raise IdempotencyKeyReused
        if commit.idempotency.is_older:
            is_same = commit.idempotency == self.older.form_of(request)
        else:
            is_same = commit.child_id == command.child_id
        if not is_same:
            raise IdempotencyKeyReused
        if not isinstance(command, EraseChild):
            await self._require_not_erased(commit.child_id)
        if not commit.idempotency.is_older:
            await self._require_same(commit.idempotency, command, request)
        return result_of(commit, is_replay=True)

    async def _require_not_erased(self, child_id: str) -> None:
        """By its stream: the key may still be in the memory of this process."""
        if await self.store.erased_among([child_id]):
            raise ChildErasedError

    async def _require_same(
        self, stored: Idempotency, command: Command, request: SentRequest
    ) -> None:
        expected = ERASURE
        if not isinstance(command, EraseChild):
            cipher = (await self.keyring.ciphers((command.child_id,))).get(command.child_id)
            if cipher is None:
                await self._require_not_erased(command.child_id)  # at this moment
            if cipher is None or isinstance(cipher, ClosedCipher):
                raise KeyUnavailable
            expected = cipher.print_of(request.content)
        if not hmac.compare_digest(stored.fingerprint, expected):
            raise IdempotencyKeyReused


@dataclass(frozen=True, slots=True)
class Appender:
    store: EventStore
    clock: Clock
    backoff: Backoff
    results: StoredResults
    aggregates: Aggregates

    async def append(
        self,
        command: Command,
        context: CommandContext,
        before: LoadedChild,
        events: Sequence[ChildEvent],
        cipher: ChildCipher | None,
    ) -> CommandResult:
        """`events` were decided on `before`; without any only the idempotency key is kept. An
        erasure alone needs no `cipher`. Raises VersionConflict (never without events),
        AppendUnconfirmed, and what `StoredResults.replayed` raises."""
        offer = self.offer_of(command, context, before.position, events, cipher)
        try:
            commit = await self._offer(offer)
        except AlreadyCommitted as already:
            return await self.results.replayed(already.commit, command, context.request)
        if events:
            child = reduce(evolve, events, before.child)
            await self.aggregates.remember(before, child, commit, cipher)
        return result_of(commit)

    def offer_of(
        self,
        command: Command,
        context: CommandContext,
        expected: StreamPosition,
        events: Sequence[ChildEvent],
        cipher: ChildCipher | None,
    ) -> NewCommit:
        """The commit of `command`, its `events` sealed. Raises KeyUnavailable."""
        return NewCommit(
            child_id=command.child_id,
            expected=expected,
            events=tuple(
                encode(event, version, cipher)
                for version, event in enumerate(events, expected.version + 1)
            ),
            recorded_at=self.clock(),
            actor=Actor(context.principal.on_record, context.principal.role.value),
            causality=Causality(context.correlation_id, context.causation_id, context.traceparent),
            idempotency=_kept_of(context.request, command, cipher),
            result=_result_of(command, events),
        )

    async def _offer(self, offer: NewCommit) -> Commit:
        try:
            # one offer, repeated as it is: the store recognises it if it landed the first time
            return await self.backoff.run(lambda: self.store.append(offer))
        except StoreUnavailable as error:
            raise AppendUnconfirmed from error


def _kept_of(
    request: SentRequest | None, command: Command, cipher: ChildCipher | None
) -> Idempotency | None:
    """For ever, so that nobody can find out what the request was once the child is erased."""
    if request is None:
        return None
    if isinstance(command, EraseChild):
        return Idempotency(request.key, ERASURE)
    if cipher is None:
        raise KeyUnavailable
    return Idempotency(request.key, cipher.print_of(request.content))


def _result_of(command: Command, events: Sequence[ChildEvent]) -> dict[str, str]:
    """What the answer says beside the events; a repetition gets it again."""
    match command:
        case _ if not events:
            return {}
        case ReportSafetyViolation():
            made = {"violation_id": command.violation_id}
            linked = any(
                isinstance(event, SafetyViolationReported) and event.conversation_id is not None
                for event in events
            )
            if command.conversation_id is not None and not linked:
                made[IGNORED] = "conversation_id"
            return made
        case StartConversation():
            return {"conversation_id": command.conversation_id}
        case _:
            return {}


def result_of(commit: Commit, is_replay: bool = False) -> CommandResult:
    return CommandResult(
        child_id=commit.child_id,
        version=commit.last_version,
        events=tuple(event.type for event in commit.events),
        violation_id=commit.result.get("violation_id"),
        conversation_id=commit.result.get("conversation_id"),
        ignored=(commit.result[IGNORED],) if IGNORED in commit.result else (),
        replayed=is_replay,
        hash=commit.hash if commit.events else "",
    )
