"""What a repeated request is answered: the result of the first time."""

import hmac
from dataclasses import dataclass

from command_service.command_bus import Command, CommandResult
from command_service.domain.child.commands import EraseChild
from command_service.domain.child.errors import ChildErasedError
from command_service.handlers.append import ERASURE, IGNORED
from command_service.handlers.errors import IdempotencyKeyReused, KeyUnavailable
from command_service.handlers.older_keys import OlderKeys
from command_service.sent_request import SentRequest
from shared.envelope import Commit, Idempotency
from shared.event_store.port import EventStore
from shared.keyring.cipher import ClosedCipher
from shared.keyring.keyring import Keyring


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
