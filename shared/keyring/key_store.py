"""Where wrapped data keys are kept, apart from the events they open. Twins: memory, MongoDB."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

from shared.event_store.port import StoreUnavailable
from shared.keyring.provider import WrappedKey


class KeyStoreUnavailable(StoreUnavailable):
    """The database of the keys did not answer in time."""


class KeyDestroyed(Exception):
    """The child's key was destroyed: the child gets no other one, ever."""

    def __init__(self, child_id: str) -> None:
        super().__init__(f"the key of child {child_id} was destroyed")


class KeyStore(Protocol):
    async def insert(self, key: WrappedKey) -> WrappedKey:
        """Keep `key` durably and return it, or return the one the child already has.

        Raises KeyDestroyed.
        """

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        """The keys of those children that have one."""

    async def destroy(self, child_id: str) -> bool:
        """Put a tombstone in the key's place, which no `insert` passes; False when there was no
        key to destroy."""

    async def destroyed(self, child_ids: Collection[str]) -> set[str]:
        """Those of `child_ids` at whose key's place the tombstone stands."""

    async def count_by_kek(self) -> dict[str, int]:
        """How many data keys are wrapped under each key-encryption key, by its id."""

    async def not_under(self, kek_id: str, after: str, limit: int) -> list[WrappedKey]:
        """At most `limit` keys wrapped under another one, in order of child, from `after` on."""

    async def replace(self, exchanges: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        """Put each second key in place of the first, where that still stands; how many did."""


class MemoryKeyStore:
    def __init__(self) -> None:
        self._keys: dict[str, WrappedKey] = {}
        self._destroyed: set[str] = set()

    async def insert(self, key: WrappedKey) -> WrappedKey:
        if key.child_id in self._destroyed:
            raise KeyDestroyed(key.child_id)
        return self._keys.setdefault(key.child_id, key)

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        return [self._keys[child_id] for child_id in child_ids if child_id in self._keys]

    async def destroy(self, child_id: str) -> bool:
        self._destroyed.add(child_id)
        return self._keys.pop(child_id, None) is not None

    async def destroyed(self, child_ids: Collection[str]) -> set[str]:
        return self._destroyed.intersection(child_ids)

    async def count_by_kek(self) -> dict[str, int]:
        return dict(Counter(key.kek_id for key in self._keys.values()))

    async def not_under(self, kek_id: str, after: str, limit: int) -> list[WrappedKey]:
        others = (key for key in self._keys.values() if key.kek_id != kek_id)
        return sorted(
            (key for key in others if key.child_id > after), key=lambda key: key.child_id
        )[:limit]

    async def replace(self, exchanges: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        standing = [new for old, new in exchanges if self._keys.get(old.child_id) == old]
        self._keys.update((key.child_id, key) for key in standing)
        return len(standing)
