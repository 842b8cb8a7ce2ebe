"""Answers kept for a while: TTL and LRU, one load for all who ask at once, dropped by tag."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Generic

from query_service.cache.entries import CacheStatistics, Entry, KeptAnswers, Key, Tag, V, text_bytes
from query_service.cache.second_tier import Loaded, SecondTier

DEFAULT_BYTES = 64 * 1024 * 1024
MOST_MISSED = 1_000
"""Invalidated tags that a load remembers; once there are more, its answer is not kept."""


Load = Callable[[], Awaitable[Loaded[V]]]


@dataclass(slots=True)
class _Counts:
    hits: int = 0
    misses: int = 0
    shared: int = 0
    expirations: int = 0
    invalidations: int = 0


@dataclass(slots=True, eq=False)
class _Flight(Generic[V]):
    """A load under way. `missed`: tags invalidated meanwhile, with the version that was reached;
    `stale`: everything was. `asked_at`: when the store was, if it was. The value of the task comes
    with whether it was found in the second tier."""

    key: Key
    tags: frozenset[Tag]
    asked_at: float
    task: "asyncio.Task[tuple[V, bool]]" = field(init=False)
    missed: dict[Tag, float] = field(default_factory=dict)
    stale: bool = False

    def miss(self, tags: Collection[Tag], reached: float) -> None:
        for tag in tags:
            self.missed[tag] = max(reached, self.missed.get(tag, reached))
        if len(self.missed) > MOST_MISSED:
            self.stale = True
            self.missed.clear()


class QueryCache(Generic[V]):
    """At most `max_entries` answers and `max_bytes` of them. `clock` gives seconds that never go
    back.

    Until `resume` (as at the start) an answer lives `unwatched_seconds` at most: it is kept longer
    only while invalidations are known to arrive. The same goes for `second`, where what this cache
    has not is looked for before it is loaded."""

    def __init__(
        self,
        max_entries: int,
        clock: Callable[[], float],
        unwatched_seconds: float = 0.0,
        max_bytes: int = DEFAULT_BYTES,
    ) -> None:
        self._clock = clock
        self._unwatched_seconds = unwatched_seconds
        self._kept: KeptAnswers[V] = KeptAnswers(max_entries, max_bytes)
        self.second: SecondTier[V] | None = None
        self._flights: dict[Key, _Flight[V]] = {}
        self._loading: set[_Flight[V]] = set()
        self._keeping = False
        self._counts = _Counts()

    def find(self, key: Key, read_after: float | None = None) -> V | None:
        """The value, a hit; None where it has to be loaded. `read_after` as in `get_or_load`."""
        entry = self._fresh(key)
        if entry is None or not _is_after(entry.asked_at, read_after):
            return None
        self._counts.hits += 1
        self._kept.use(key)
        return entry.value

    async def get_or_load(
        self,
        key: Key,
        ttl: float,
        tags: frozenset[Tag],
        load: Load[V],
        read_after: float | None = None,
    ) -> tuple[V, bool]:
        """The value and whether it was a hit. Concurrent misses share one load; its failure is
        everyone's who waited, and is not kept. With `read_after` (of the same clock), only what
        was read from the store after that moment is given: by this process, for its clock is no
        other's."""
        kept = self.find(key, read_after)
        if kept is not None:
            return kept, True
        self._counts.misses += 1
        flight = self._flights.get(key)
        if flight is not None and _is_after(flight.asked_at, read_after):
            self._counts.shared += 1
        else:
            flight = self._start(key, ttl, tags, load, looks=read_after is None)
        # one caller that goes away does not take the load from the others
        return await asyncio.shield(flight.task)

    def invalidate(self, tags: Collection[Tag], reached: float = math.inf) -> int:
        """Drop every entry that has one of `tags`, also those being loaded; how many were kept.

        With `reached`, the version that the child of the tags is at now, an entry that is known to
        show that version or a later one stays: a notice often comes after the answer it announces.
        """
        for flight in self._loading:
            flight.miss(tags, reached)
            if not flight.tags.isdisjoint(tags) and self._flights.get(flight.key) is flight:
                # who asks from now on must not get what was read before
                del self._flights[flight.key]
        return self._invalidate_keys(
            [key for key in self._kept.tagged(tags) if not self._shows(key, reached)]
        )

    def clear(self) -> int:
        """Drop everything; how many entries there were."""
        for flight in self._loading:
            flight.stale = True
        self._flights.clear()
        if self.second is not None:
            self.second.forget()
        return self._invalidate_keys(self._kept)

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
        for key in self._kept:
            entry = self._kept.get(key)
            if entry is not None and entry.expires_at > latest:
                self._kept.replace(key, replace(entry, expires_at=latest))

    def resume(self) -> None:
        """Keep answers as long as they may live again, none of those that were read before now."""
        self.clear()
        self._keeping = True

    def statistics(self) -> CacheStatistics:
        counts, kept = self._counts, self._kept
        asked = counts.hits + counts.misses
        return CacheStatistics(
            size=len(kept),
            max_size=kept.max_entries,
            bytes=kept.bytes,
            max_bytes=kept.max_bytes,
            keeping=self._keeping,
            hit_rate=round(counts.hits / asked, 4) if asked else 0.0,
            loading=len(self._loading),
            evictions=kept.evicted_by_number + kept.evicted_by_bytes,
            evictions_by_bytes=kept.evicted_by_bytes,
            too_large=kept.too_large,
            **asdict(counts),
        )

    def _fresh(self, key: Key) -> Entry[V] | None:
        entry = self._kept.get(key)
        if entry is not None and entry.expires_at <= self._clock():
            self._kept.remove(key)
            self._counts.expirations += 1
            return None
        return entry

    def _start(
        self, key: Key, ttl: float, tags: frozenset[Tag], load: Load[V], *, looks: bool
    ) -> _Flight[V]:
        """With `looks`, for an answer that may come from the second tier."""
        second = self.second if looks and self._keeping else None
        flight: _Flight[V] = _Flight(key, tags, self._clock() if second is None else -math.inf)
        self._flights[key] = flight
        self._loading.add(flight)
        flight.task = asyncio.create_task(self._fly(flight, ttl, load, second))
        flight.task.add_done_callback(_retrieve)
        return flight

    async def _fly(
        self, flight: _Flight[V], ttl: float, load: Load[V], second: SecondTier[V] | None
    ) -> tuple[V, bool]:
        try:
            loaded = None if second is None else await second.find(flight.key)
            found = loaded is not None
            if loaded is None:
                flight.asked_at = self._clock()
                loaded = await load()
        finally:
            self._loading.discard(flight)
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        tags = flight.tags | loaded.mentions
        seen = all(_shows(loaded.version, flight.missed[tag]) for tag in tags & set(flight.missed))
        life = min(ttl, loaded.ttl, math.inf if self._keeping else self._unwatched_seconds)
        if life > 0 and not flight.stale and seen:
            expires_at = self._clock() + life
            size = loaded.size + text_bytes(flight.key)
            self._keep(
                flight.key,
                Entry(loaded.value, tags, flight.asked_at, expires_at, loaded.version, size),
            )
            if self.second is not None and self._keeping and not found:
                self.second.keep(flight.key, loaded, tags, life)
        return loaded.value, found

    def _keep(self, key: Key, entry: Entry[V]) -> None:
        """Unless what was read later is kept already."""
        present = self._kept.get(key)
        if present is None or present.asked_at <= entry.asked_at:
            self._kept.put(key, entry)

    def _shows(self, key: Key, reached: float) -> bool:
        entry = self._kept.get(key)
        return entry is not None and _shows(entry.version, reached)

    def _invalidate_keys(self, keys: Iterable[Key]) -> int:
        dropped = sum(1 for key in keys if self._kept.remove(key))
        self._counts.invalidations += dropped
        return dropped


def _shows(version: int | None, reached: float) -> bool:
    return version is not None and version >= reached


def _is_after(asked_at: float, read_after: float | None) -> bool:
    return read_after is None or asked_at > read_after


def _retrieve(task: "asyncio.Task[V]") -> None:
    """A failure that nobody waits for any longer is not worth a warning of the event loop."""
    if not task.cancelled():
        task.exception()
