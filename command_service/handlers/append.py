"""Events sealed and offered to the event store once; a repeated request gets the first result."""

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from command_service.bus.command_bus import Command, CommandContext, CommandResult, SentRequest
from command_service.bus.errors import AppendUnconfirmed, IdempotencyKeyReused, KeyUnavailable
from command_service.bus.resilience import Backoff
from command_service.child.commands import (
    EraseChild,
    ReportSafetyViolation,
    StartConversation,
)
from command_service.child.errors import ChildErasedError
from shared.clock import Clock
from shared.codec import encode
from shared.envelope import (
    Actor,
    Causality,
    Commit,
    Idempotency,
    NewCommit,
    StreamPosition,
)
from shared.event_store.port import EventStore, StoreUnavailable
from shared.events.child import ChildEvent, SafetyViolationReported
from shared.keyring.cipher import ChildCipher, ClosedCipher
from shared.keyring.keyring import Keyring

IGNORED = "ignored"
"""In a stored result: the request's field that was left out."""


ERASURE = "erasure"
"""The print of every request to erase a child: its path says it all, and the child's key, under
which others have theirs, goes with it."""


LOOK_SECONDS = 30.0
"""While an upgrade is under way, processes of the release before still make older ones."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Appender:
    store: EventStore
    clock: Clock
    backoff: Backoff

    async def append(
        self,
        command: Command,
        context: CommandContext,
        expected: StreamPosition,
        events: Sequence[ChildEvent],
        cipher: ChildCipher | None,
    ) -> Commit:
        """Without events only the idempotency key is kept. An erasure alone needs no `cipher`.
        Raises VersionConflict (never without events), AlreadyCommitted or AppendUnconfirmed."""
        offer = NewCommit(
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
        try:
            # one offer, repeated as it is: the store recognises it if it landed the first time
            return await self.backoff.run(lambda: self.store.append(offer))
        except StoreUnavailable as error:
            raise AppendUnconfirmed from error


def _kept_of(
    request: SentRequest | None, command: Command, cipher: ChildCipher | None
) -> Idempotency | None:
    """For ever, so that nobody can tell what the request was once the child is erased."""
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


class OlderKeys:
    """Idempotency keys of earlier releases: a plain hash of caller and key, with a digest of the
    request under the index key.

    `exist`: whether the store has any. It is not asked for them until it had one."""

    def __init__(self, store: EventStore, index_key: bytes) -> None:
        self.exist = False
        self._store = store
        self._print_key = hmac.digest(index_key, b"request print", "sha256")

    async def look(self) -> None:
        """Raises StoreUnavailable."""
        self.exist = self.exist or await self._store.has_older_keys()

    async def keep_looking(self) -> None:
        """Look again and again, until there is one or until cancelled."""
        while not self.exist:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("older_keys_unknown", reason=str(error))

    def key_of(self, request: SentRequest) -> str:
        """What an earlier release stored as its key."""
        return hashlib.sha256("\n".join(request.as_sent).encode()).hexdigest()

    def form_of(self, request: SentRequest) -> Idempotency:
        """What an earlier release stored of the request."""
        fingerprint = hmac.digest(self._print_key, request.content, "sha256")
        return Idempotency(self.key_of(request), fingerprint.hex())


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

        Raises IdempotencyKeyReused when it was another request's, ChildErasedError when nobody can
        tell any more: then it is refused as every command about the child.
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
