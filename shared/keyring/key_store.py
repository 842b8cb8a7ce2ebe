"""Where wrapped data keys are kept, apart from the events they open. Twins: memory, MongoDB."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

from shared.keyring.provider import WrappedKey


class KeyStore(Protocol):
    async def insert(self, key: WrappedKey) -> WrappedKey:
        """Keep `key` durably and return it, or return the one the child already has."""

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        """The keys of those children that have one."""

    async def delete(self, child_id: str) -> bool:
        """Destroy the child's key; False when there was none."""

    async def count_by_kek(self) -> dict[str, int]:
        """How many data keys are wrapped under each key-encryption key, by its id."""

    async def not_under(self, kek_id: str, after: str, limit: int) -> list[WrappedKey]:
        """At most `limit` keys wrapped under another one, in order of child, from `after` on."""

    async def replace(self, exchanges: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        """Put each second key in place of the first, where that still stands; how many did."""


class MemoryKeyStore:
    def __init__(self) -> None:
        self._keys: dict[str, WrappedKey] = {}

    async def insert(self, key: WrappedKey) -> WrappedKey:
        return self._keys.setdefault(key.child_id, key)

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        return [self._keys[child_id] for child_id in child_ids if child_id in self._keys]

    async def delete(self, child_id: str) -> bool:
        return self._keys.pop(child_id, None) is not None

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
