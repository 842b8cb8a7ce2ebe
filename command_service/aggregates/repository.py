"""Children folded from their streams, and kept in memory, so that the usual command only writes."""

from asyncio import gather
from collections import OrderedDict
from dataclasses import dataclass, fields, replace

from command_service.aggregates.snapshots import BEFORE_REGISTRATION, LoadedChild, Snapshots
from command_service.aggregates.stream_folding import PATIENCE_SECONDS, StreamFolding, folded
from command_service.child.account import AccountStatus, Profile
from command_service.child.state import Child
from shared.auth.access import is_uuid
from shared.event_store.envelope import Commit
from shared.event_store.port import EventStore
from shared.events.child import ERASED
from shared.keyring.keyring import ChildCipher, Keyring

BYTES_A_CHILD = 3_000
BYTES_AN_ID = 400
"""About what they take in memory, measured: 361 bytes for each of 100,000 open violations."""

BYTES_A_CHARACTER = 4
"""Of what a parent wrote about a child. Four at most in a text, and more than that in lists."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """`written`: characters of its profile."""

    loaded: LoadedChild
    written: int

    @property
    def size(self) -> int:
        """About the bytes that it takes in memory."""
        ids = self.loaded.child.ids
        return BYTES_A_CHILD + BYTES_AN_ID * ids + BYTES_A_CHARACTER * self.written


class AggregateCache:
    """Keeps the least recently used out, so that there are at most `max_entries`, and that they
    take about `max_bytes`; one child alone may take more. An entry may be stale: the append finds
    out."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    @property
    def bytes(self) -> int:
        """About how many its entries take."""
        return self._bytes

    def get(self, child_id: str) -> LoadedChild | None:
        entry = self._entries.get(child_id)
        if entry is None:
            return None
        self._entries.move_to_end(child_id)
        return entry.loaded

    def put(self, child_id: str, loaded: LoadedChild) -> None:
        """Keep `loaded` unless a newer state of the child is there."""
        known = self._entries.get(child_id)
        if known is None or known.loaded.position.version <= loaded.position.version:
            self.evict(child_id)
            entry = self._entries[child_id] = _entry(loaded, known)
            self._bytes += entry.size
        self._entries.move_to_end(child_id)
        while self._is_too_full():
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.size

    def evict(self, child_id: str) -> None:
        if (entry := self._entries.pop(child_id, None)) is not None:
            self._bytes -= entry.size

    def _is_too_full(self) -> bool:
        if len(self._entries) > self._max_entries:
            return True
        # the one that was put last stays: whoever folds a long stream goes on from it
        return self._bytes > self._max_bytes and len(self._entries) > 1


def _entry(loaded: LoadedChild, known: _Entry | None) -> _Entry:
    """Few commands change the profile: what `known` counted of it is not counted again."""
    profile = loaded.child.profile
    if known is not None and known.loaded.child.profile is profile:
        return _Entry(loaded, known.written)
    return _Entry(loaded, _written(profile))


def _written(profile: Profile) -> int:
    """Characters of what the parent wrote."""
    values = (getattr(profile, each.name) for each in fields(Profile) if each.name != "age")
    return sum(len(str(value.value)) for value in values if value is not None)


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
        self._folding = StreamFolding(store, snapshots, cache.put, patience_seconds)
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
        self, before: LoadedChild, child: Child, commit: Commit, cipher: ChildCipher | None
    ) -> None:
        """Keep `child`, as it is after `commit`. `before`: the child as it was remembered before,
        maybe several commits earlier."""
        events = commit.last_version - before.position.version
        since_snapshot = before.since_snapshot + events
        loaded = replace(
            before, child=child, position=commit.position, since_snapshot=since_snapshot
        )
        # most of the time none is due, and nothing more is asked
        if cipher is not None and since_snapshot >= self._snapshots.every:
            loaded = await self._snapshots.take_behind_a_command(commit.child_id, loaded, cipher)
        self._cache.put(commit.child_id, loaded)

    async def forget(self, child_id: str) -> None:
        """Drop what is kept of the child in memory, and what is being made of it."""
        await self._folding.abandon(child_id)
        await self._snapshots.abandon(child_id)
        self._cache.evict(child_id)
