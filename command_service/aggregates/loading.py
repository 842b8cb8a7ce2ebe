"""Children folded from their streams."""

from asyncio import gather
from collections.abc import Iterable
from functools import reduce

from command_service.aggregates.cache import BEFORE_REGISTRATION, AggregateCache, LoadedChild
from command_service.aggregates.snapshots import Snapshots
from command_service.aggregates.stream_folding import (
    PATIENCE_SECONDS,
    StreamFolding,
    folded,
)
from command_service.child.account import AccountStatus
from command_service.child.decider import evolve
from command_service.child.field_checks import is_uuid
from shared.erasures.topic import ERASED
from shared.event_store.envelope import Commit
from shared.event_store.port import EventStore
from shared.events.child import ChildEvent
from shared.keyring.cipher import ChildCipher
from shared.keyring.keyring import Keyring


class Aggregates:
    def __init__(
        self,
        store: EventStore,
        keyring: Keyring,
        snapshots: Snapshots,
        cache: AggregateCache,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._folding = StreamFolding(store, snapshots, cache, patience_seconds)
        self._keyring = keyring
        self._snapshots = snapshots
        self._cache = cache

    def remembered(self, child_id: str) -> LoadedChild | None:
        """The child as this process saw it last: good enough to try an append, not to refuse."""
        return self._cache.get(child_id)

    async def current(self, child_id: str) -> LoadedChild | None:
        """The child as the store has it now; None when it has no events.

        What is remembered, or else a snapshot, is caught up with the commits after it. Raises
        ChildLoading while that takes too long.
        """
        if not is_uuid(child_id):
            return None  # every id given out here is one
        # one that does not open keeps nobody from being reported on, or erased
        cipher = (await self._keyring.ciphers((child_id,))).get(child_id)
        known = await self._folding.catch_up(child_id, self._cache.get(child_id), cipher)
        if known.position.version == 0:
            return None
        self._cache.put(child_id, known)
        if known.child.status is AccountStatus.ERASED:
            self._keyring.forget(child_id)  # another process may have destroyed the key
        return known

    async def outline(self, child_id: str) -> LoadedChild | None:
        """Whose child it is and whether it is erased, as the store has it now, by the first and the
        last commit alone; nothing else of what it gives may be used. None without events."""
        if not is_uuid(child_id):
            return None
        first, last = await gather(self._store.load(child_id, limit=1), self._store.last(child_id))
        if last is None:
            return None
        begun = await folded(BEFORE_REGISTRATION, first, None)
        if begun.child.status is AccountStatus.UNREGISTERED:
            return await self.current(child_id)  # no release wrote such a stream
        ended = await folded(begun, [last] if last.events[-1].type == ERASED else [], None)
        return LoadedChild(ended.child, last.position, 0)

    async def remember(
        self,
        before: LoadedChild,
        commit: Commit,
        events: Iterable[ChildEvent],
        cipher: ChildCipher | None,
    ) -> LoadedChild:
        """Keep the child as it is after `commit`, whose `events` were decided on `before`."""
        loaded = LoadedChild(
            reduce(evolve, events, before.child),
            commit.position,
            before.since_snapshot + len(commit.events),
        )
        if cipher is not None and loaded.child.status is not AccountStatus.ERASED:
            loaded = await self._snapshots.take_behind_a_command(commit.child_id, loaded, cipher)
        self._cache.put(commit.child_id, loaded)
        return loaded

    async def forget(self, child_id: str) -> None:
        """Drop what is kept of the child in memory, and what is being made of it."""
        await self._folding.abandon(child_id)
        await self._snapshots.abandon(child_id)
        self._cache.evict(child_id)
