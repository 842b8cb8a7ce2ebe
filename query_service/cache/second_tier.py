"""What a load gives, and where else than in the store it may be found: a tier that all query
processes share."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from query_service.cache.entries import Key, Tag, V


@dataclass(frozen=True, slots=True)
class Loaded(Generic[V]):
    """What a load gave. `mentions`: tags that only the answer reveals, e.g. the children found.
    `version`: which version of one child it shows, where it is about one. `size`: of the value, in
    bytes. `ttl`: seconds, where it grows old sooner than others."""

    value: V
    mentions: frozenset[Tag] = frozenset()
    version: int | None = None
    size: int = 0
    ttl: float = math.inf


LOOKED_UP = ("hit", "miss", "outdated", "unreadable", "error")
"""How a lookup ends. `outdated`: a change came since, or may have; `unreadable`: it was altered, or
shows a child whose key is gone; `error`: the server did not answer, or is left alone."""

WRITTEN = ("written", "skipped", "error")

T = TypeVar("T")


class SecondTier(Protocol[T]):
    """Asked only while the change feed is followed. Nothing that is wrong with it is raised."""

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """By what was done, `lookup` or `write`, and how it ended, since the start."""

    async def find(self, key: Key) -> Loaded[T] | None:
        """An answer that shows every change received here until this returns, with all its tags
        and the seconds left of its life. Raises StoreUnavailable when the keys that open it cannot
        be read: those that its load would need."""

    def keep(self, key: Key, loaded: Loaded[T], tags: Collection[Tag], life: float) -> None:
        """Have `loaded`, which shows every change of its tags that was received here until now, for
        `life` seconds; some time soon, or not at all."""

    def forget(self) -> None:
        """Find nothing that was read before now."""
