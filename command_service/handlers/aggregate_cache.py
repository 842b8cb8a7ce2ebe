"""Folded children in memory, so that the usual command only writes."""

from collections import OrderedDict
from dataclasses import dataclass

from command_service.domain.child.state import Child
from shared.envelope import StreamPosition


@dataclass(frozen=True, slots=True)
class LoadedChild:
    """A child folded up to `position`, `since_snapshot` events after its last snapshot."""

    child: Child
    position: StreamPosition
    since_snapshot: int


class AggregateCache:
    """Keeps the least recently used out. An entry may be stale: the append tells."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[str, LoadedChild] = OrderedDict()

    def get(self, child_id: str) -> LoadedChild | None:
        loaded = self._entries.get(child_id)
        if loaded is not None:
            self._entries.move_to_end(child_id)
        return loaded

    def put(self, child_id: str, loaded: LoadedChild) -> None:
        """Keep `loaded` unless a newer state of the child is there."""
        known = self._entries.get(child_id)
        if known is None or known.position.version <= loaded.position.version:
            self._entries[child_id] = loaded
        self._entries.move_to_end(child_id)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def evict(self, child_id: str) -> None:
        self._entries.pop(child_id, None)
