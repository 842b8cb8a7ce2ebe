"""Answers kept for a while: TTL and LRU, one load for all who ask at once, dropped by tag."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from query_service.cache.statistics import CacheStatistics

Key = Hashable
Tag = str
V = TypeVar("V")


def child_tag(child_id: str) -> Tag:
    return f"child:{child_id}"


def parent_tag(parent_id: str) -> Tag:
    return f"parent:{parent_id}"


EVERYTHING: Tag = "everything"
"""Of answers that change with whatever happens."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[V]):
    """What a load gave. `mentions`: tags that only the answer reveals, e.g. the children found.
    `version`: which version of one child it shows, where it is about one."""

    value: V
    mentions: frozenset[Tag] = frozenset()
    version: int | None = None


@dataclass(slots=True)
class _Counts:
    hits: int = 0
    misses: int = 0
    shared: int = 0
    evictions: int = 0
    expirations: int = 0
    invalidations: int = 0


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    value: V
    tags: frozenset[Tag]
    asked_at: float
    expires_at: float
    version: int | None


@dataclass(slots=True, eq=False)
class _Flight(Generic[V]):
    """A load under way. `missed`: tags invalidated meanwhile, with the version that was reached;
    `stale`: everything was."""

    key: Key
    tags: frozenset[Tag]
    asked_at: float
    task: "asyncio.Task[V]" = field(init=False)
    missed: dict[Tag, float] = field(default_factory=dict)
    stale: bool = False


class QueryCache(Generic[V]):
    """At most `max_entries` answers. `clock` gives seconds that never go back.

    Until `resume` (as at the start) an answer lives `unwatched_seconds` at most: it is kept longer
    only while invalidations are known to arrive.
    """

    def __init__(
        self, max_entries: int, clock: Callable[[], float], unwatched_seconds: float = 0.0
    ) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._unwatched_seconds = unwatched_seconds
        self._entries: OrderedDict[Key, _Entry[V]] = OrderedDict()
        self._keys_by_tag: dict[Tag, set[Key]] = {}
        self._flights: dict[Key, _Flight[V]] = {}
        self._loading: set[_Flight[V]] = set()
        self._keeping = False
        self._counts = _Counts()

    async def get_or_load(
        self,
        key: Key,
        ttl: float,
        tags: frozenset[Tag],
        load: Callable[[], Awaitable[Loaded[V]]],
        read_after: float | None = None,
    ) -> tuple[V, bool]:
        """The value and whether it was a hit. Concurrent misses share one load; its failure is
        everyone's who waited, and is not kept. With `read_after` (of the same clock), only what
        was read from the store after that moment is given."""
        entry = self._fresh(key)
        if entry is not None and _is_after(entry.asked_at, read_after):
            self._counts.hits += 1
            self._entries.move_to_end(key)
            return entry.value, True
        self._counts.misses += 1
        flight = self._flights.get(key)
        if flight is not None and _is_after(flight.asked_at, read_after):
            self._counts.shared += 1
        else:
            flight = self._start(key, ttl, tags, load)
        # one caller that goes away does not take the load from the others
        return await asyncio.shield(flight.task), False

    def invalidate(self, tags: Collection[Tag], reached: float = math.inf) -> int:
        """Drop every entry that has one of `tags`, also those being loaded; how many were kept.

        With `reached`, the version that the child of the tags is at now, an entry that is known to
        show that version or a later one stays: a notice often comes after the answer it announces.
        """
        for flight in self._loading:
            for tag in tags:
                flight.missed[tag] = max(reached, flight.missed.get(tag, reached))
            if not flight.tags.isdisjoint(tags) and self._flights.get(flight.key) is flight:
                # who asks from now on must not get what was read before
                del self._flights[flight.key]
        keys = set().union(*(self._keys_by_tag.get(tag, ()) for tag in tags))
        return self._invalidate_keys(
            [key for key in keys if not _shows(self._entries[key].version, reached)]
        )

    def invalidate_key(self, key: Key) -> bool:
        """Drop one entry, also while it is being loaded; False when there was none."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.stale = True
        return self._invalidate_keys({key} & self._entries.keys()) == 1

    def clear(self) -> int:
        """Drop everything; how many entries there were."""
        for flight in self._loading:
            flight.stale = True
        self._flights.clear()
        return self._invalidate_keys(list(self._entries))

    @property
    def keeping(self) -> bool:
        """Whether answers live their whole life, because invalidations arrive."""
        return self._keeping

    def now(self) -> float:
        """By the cache's clock."""
        return self._clock()

    def suspend(self) -> None:
        """Invalidations may be missed: nothing lives longer than `unwatched_seconds` from now."""
        self._keeping = False
        latest = self._clock() + self._unwatched_seconds
        for key, entry in self._entries.items():
            self._entries[key] = replace(entry, expires_at=min(entry.expires_at, latest))

    def resume(self) -> None:
        """Keep answers as long as they may live again, none of those that were read before now."""
        self.clear()
        self._keeping = True

    def statistics(self) -> CacheStatistics:
        counts = self._counts
        asked = counts.hits + counts.misses
        return CacheStatistics(
            size=len(self._entries),
            max_size=self._max_entries,
            keeping=self._keeping,
            hits=counts.hits,
            misses=counts.misses,
            hit_rate=round(counts.hits / asked, 4) if asked else 0.0,
            shared=counts.shared,
            loading=len(self._loading),
            evictions=counts.evictions,
            expirations=counts.expirations,
            invalidations=counts.invalidations,
        )

    def _fresh(self, key: Key) -> _Entry[V] | None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires_at <= self._clock():
            self._remove(key)
            self._counts.expirations += 1
            return None
        return entry

    def _start(
        self,
        key: Key,
        ttl: float,
        tags: frozenset[Tag],
        load: Callable[[], Awaitable[Loaded[V]]],
    ) -> _Flight[V]:
        flight: _Flight[V] = _Flight(key, tags, self._clock())
        self._flights[key] = flight
        self._loading.add(flight)
        flight.task = asyncio.create_task(self._fly(flight, ttl, load))
        flight.task.add_done_callback(_retrieve)
        return flight

    async def _fly(
        self, flight: _Flight[V], ttl: float, load: Callable[[], Awaitable[Loaded[V]]]
    ) -> V:
        try:
            loaded = await load()
        finally:
            self._loading.discard(flight)
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        tags = flight.tags | loaded.mentions
        seen = all(_shows(loaded.version, flight.missed[tag]) for tag in tags & set(flight.missed))
        life = ttl if self._keeping else min(ttl, self._unwatched_seconds)
        if life > 0 and not flight.stale and seen:
            expires_at = self._clock() + life
            entry = _Entry(loaded.value, tags, flight.asked_at, expires_at, loaded.version)
            self._keep(flight, entry)
        return loaded.value

    def _keep(self, flight: _Flight[V], entry: _Entry[V]) -> None:
        present = self._entries.get(flight.key)
        if present is not None and present.asked_at > entry.asked_at:
            return
        self._remove(flight.key)
        self._entries[flight.key] = entry
        for tag in entry.tags:
            self._keys_by_tag.setdefault(tag, set()).add(flight.key)
        while len(self._entries) > self._max_entries:
            self._remove(next(iter(self._entries)))
            self._counts.evictions += 1

    def _invalidate_keys(self, keys: Iterable[Key]) -> int:
        dropped = 0
        for key in keys:
            self._remove(key)
            dropped += 1
        self._counts.invalidations += dropped
        return dropped

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for tag in entry.tags:
            keys = self._keys_by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._keys_by_tag[tag]


def _shows(version: int | None, reached: float) -> bool:
    return version is not None and version >= reached


def _is_after(asked_at: float, read_after: float | None) -> bool:
    return read_after is None or asked_at > read_after


def _retrieve(task: "asyncio.Task[V]") -> None:
    """A failure that nobody waits for any longer is not worth a warning of the event loop."""
    if not task.cancelled():
        task.exception()
