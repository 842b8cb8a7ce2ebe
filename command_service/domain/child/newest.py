"""What is closed and needs not be known for ever."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rpds import HashTrieMap

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Newest(Generic[V]):
    """A persistent map that forgets: the newest `limit` entries at least are known, and fewer than
    twice as many. Once `recent` has `limit` entries they are the `older` ones, and those of before
    are gone: to forget costs nothing, and no entry has to tell its age."""

    limit: int
    recent: "HashTrieMap[str, V]" = field(default_factory=HashTrieMap)
    older: "HashTrieMap[str, V]" = field(default_factory=HashTrieMap)

    def __contains__(self, name: str) -> bool:
        return name in self.recent or name in self.older

    def __len__(self) -> int:
        """How many entries are kept; one that was renewed may count twice."""
        return len(self.recent) + len(self.older)

    def get(self, name: str) -> V | None:
        return self.recent.get(name) if name in self.recent else self.older.get(name)

    def insert(self, name: str, value: V) -> "Newest[V]":
        """With `name` as the newest entry."""
        recent = self.recent.insert(name, value)
        if len(recent) < self.limit:
            return Newest(self.limit, recent, self.older)
        return Newest(self.limit, HashTrieMap(), recent)
