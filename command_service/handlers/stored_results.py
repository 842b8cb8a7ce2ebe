"""What a repeated request is answered: the result of the first time."""

from command_service.command_bus import CommandResult
from command_service.handlers.append import IGNORED
from command_service.handlers.errors import IdempotencyKeyReused
from shared.envelope import Commit, Idempotency
from shared.event_store.port import EventStore


class StoredResults:
    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def find(self, idempotency: Idempotency | None) -> CommandResult | None:
        """Raises IdempotencyKeyReused when another request used the key."""
        if idempotency is None:
            return None
        commit = await self._store.find_by_idempotency_key(idempotency.key)
        return None if commit is None else replayed(commit, idempotency)


def replayed(commit: Commit, idempotency: Idempotency | None) -> CommandResult:
    """The result that `commit` gave; raises IdempotencyKeyReused when it was another request's."""
    if commit.idempotency is None or commit.idempotency != idempotency:
        raise IdempotencyKeyReused
    return result_of(commit, is_replay=True)


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
