"""What a cache keeps: entries by key and by tag, bounded in number and in bytes; and its counts."""

import sys
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import Field

Tag = str

EVERYTHING: Tag = "everything"
"""Of answers that change with whatever happens."""


def child_tag(child_id: str) -> Tag:
    return f"child:{child_id}"


def parent_tag(parent_id: str) -> Tag:
    return f"parent:{parent_id}"


def changed_tags(child_id: str, parent_id: str) -> tuple[Tag, ...]:
    """Of answers that a change of the child, whose parent this is, makes stale."""
    return child_tag(child_id), parent_tag(parent_id), EVERYTHING


Key = Hashable
V = TypeVar("V")

ENTRY_BYTES = 1_200
"""What an answer takes beside its body and the texts of its key: the objects of both, and its
places in the maps. tests/unit/query_service/test_cache_bytes.py measures it."""

TAG_BYTES = 400
"""What each tag of an answer takes: its text, and the set of the answers that have it."""


def text_bytes(key: Key) -> int:
    """Bytes of the texts in a key of tuples and data classes."""
    if isinstance(key, str):
        return sys.getsizeof(key)
    if isinstance(key, tuple):
        return sum(map(text_bytes, key))
    if isinstance(key, type) or not is_dataclass(key):
        return 0
    return sum(text_bytes(getattr(key, one.name)) for one in fields(key))


LARGEST_PART = 0.01
"""Of all bytes that one answer may take: so that no few of them take the room of all."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[V]):
    """`size`: of the value and of the texts of its key, in bytes."""

    value: V
    tags: frozenset[Tag]
    asked_at: float
    expires_at: float
    version: int | None
    size: int = 0

    @property
    def weight(self) -> int:
        """Bytes that keeping it takes."""
        return self.size + ENTRY_BYTES + TAG_BYTES * len(self.tags)


class KeptAnswers(Generic[V]):
    """The least recently used make room for others."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.bytes = 0
        self.evicted_by_number = 0
        self.evicted_by_bytes = 0
        self.too_large = 0
        self._entries: OrderedDict[Key, Entry[V]] = OrderedDict()
        self._keys_by_tag: dict[Tag, set[Key]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._entries))

    def get(self, key: Key) -> Entry[V] | None:
        return self._entries.get(key)

    def use(self, key: Key) -> None:
        """It is the most recently used now."""
        self._entries.move_to_end(key)

    def tagged(self, tags: Collection[Tag]) -> set[Key]:
        """The keys of those that have one of `tags`."""
        return set().union(*(self._keys_by_tag.get(tag, ()) for tag in tags))

    def replace(self, key: Key, entry: Entry[V]) -> None:
        """Another entry of the same value and tags for one that is kept."""
        self._entries[key] = entry

    def put(self, key: Key, entry: Entry[V]) -> None:
        """Keep it as the most recently used, but not one that is too large."""
        self.remove(key)
        if entry.weight > self.max_bytes * LARGEST_PART:
            self.too_large += 1
            return
        self._entries[key] = entry
        self.bytes += entry.weight
        for tag in entry.tags:
            self._keys_by_tag.setdefault(tag, set()).add(key)
        while len(self._entries) > self.max_entries:
            self._remove_oldest()
            self.evicted_by_number += 1
        while self.bytes > self.max_bytes:
            self._remove_oldest()
            self.evicted_by_bytes += 1

    def remove(self, key: Key) -> bool:
        """False when there was none."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self.bytes -= entry.weight
        for tag in entry.tags:
            keys = self._keys_by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._keys_by_tag[tag]
        return True

    def _remove_oldest(self) -> None:
        self.remove(next(iter(self._entries)))


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """Counts are since the start of the process."""

    size: Annotated[
        int, Field(description="Cached answers, including expired ones that were not removed yet.")
    ]
    max_size: Annotated[int, Field(description="Maximum number of cached answers.")]
    bytes: Annotated[
        int, Field(description="Bytes of the cached answers, including estimated keys and tags.")
    ]
    max_bytes: Annotated[int, Field(description="Maximum bytes of cached answers.")]
    keeping: Annotated[
        bool,
        Field(
            description="Whether change notices are received, so that answers are cached "
            "for their full time to live."
        ),
    ]
    hits: Annotated[int, Field(description="Queries answered from the cache.")]
    misses: Annotated[int, Field(description="Queries not answered from the cache.")]
    hit_rate: Annotated[float, Field(description="Hits divided by hits and misses, 0 to 1.")]
    shared: Annotated[int, Field(description="Misses that waited for another query's load.")]
    loading: Annotated[int, Field(description="Loads in progress.")]
    evictions: Annotated[int, Field(description="Evicted answers.")]
    evictions_by_bytes: Annotated[
        int, Field(description="Of these, evicted because of bytes, not of entries.")
    ]
    too_large: Annotated[
        int,
        Field(
            description="Answers not cached because larger than a hundredth of the maximum bytes."
        ),
    ]
    expirations: Annotated[int, Field(description="Expired answers.")]
    invalidations: Annotated[int, Field(description="Answers dropped by a change notice.")]
