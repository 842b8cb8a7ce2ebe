"""Folded children in memory, so that the usual command only writes."""

from collections import OrderedDict
from dataclasses import dataclass, fields

from command_service.domain.child.state import Child, Profile
from shared.envelope import StreamPosition

BYTES_A_CHILD = 3_000
BYTES_AN_ID = 400
"""About what they take in memory, measured: 361 bytes for each of 100,000 open violations."""

BYTES_A_CHARACTER = 4
"""Of what a parent wrote about a child. Four at most in a text, and more than that in lists."""


@dataclass(frozen=True, slots=True)
class LoadedChild:
    """A child folded up to `position`, `since_snapshot` events after its last snapshot."""

    child: Child
    position: StreamPosition
    since_snapshot: int


class AggregateCache:
    """Keeps the least recently used out, so that there are at most `max_entries`, and that they
    take about `max_bytes`; one child alone may take more. An entry may be stale: the append tells.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, tuple[LoadedChild, int]] = OrderedDict()

    @property
    def bytes(self) -> int:
        """About how many its entries take."""
        return self._bytes

    def get(self, child_id: str) -> LoadedChild | None:
        entry = self._entries.get(child_id)
        if entry is None:
            return None
        self._entries.move_to_end(child_id)
        return entry[0]

    def put(self, child_id: str, loaded: LoadedChild) -> None:
        """Keep `loaded` unless a newer state of the child is there."""
        entry = self._entries.get(child_id)
        if entry is None or entry[0].position.version <= loaded.position.version:
            self.evict(child_id)
            self._entries[child_id] = loaded, (size := size_of(loaded.child))
            self._bytes += size
        self._entries.move_to_end(child_id)
        while self._is_too_full():
            _, (_, size) = self._entries.popitem(last=False)
            self._bytes -= size

    def evict(self, child_id: str) -> None:
        _, size = self._entries.pop(child_id, (None, 0))
        self._bytes -= size

    def _is_too_full(self) -> bool:
        if len(self._entries) > self._max_entries:
            return True
        # the one that was put last stays: whoever folds a long stream goes on from it
        return self._bytes > self._max_bytes and len(self._entries) > 1


def size_of(child: Child) -> int:
    """About the bytes that the child takes in memory."""
    return BYTES_A_CHILD + BYTES_AN_ID * child.ids + BYTES_A_CHARACTER * _written(child.profile)


def _written(profile: Profile) -> int:
    """Characters of what the parent wrote."""
    values = (getattr(profile, each.name) for each in fields(Profile) if each.name != "age")
    return sum(len(str(value.value)) for value in values if value is not None)
