"""Where wrapped data keys are kept, apart from the events they open. Twins: memory, MongoDB."""

from collections.abc import Collection
from typing import Protocol

from shared.keyring.provider import WrappedKey


class KeyStore(Protocol):
    async def insert(self, key: WrappedKey) -> WrappedKey:
        """Keep `key` durably and return it, or return the one the child already has."""

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        """The keys of those children that have one."""

    async def delete(self, child_id: str) -> bool:
        """Destroy the child's key; False when there was none."""


class MemoryKeyStore:
    def __init__(self) -> None:
        self._keys: dict[str, WrappedKey] = {}

    async def insert(self, key: WrappedKey) -> WrappedKey:
        return self._keys.setdefault(key.child_id, key)

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        return [self._keys[child_id] for child_id in child_ids if child_id in self._keys]

    async def delete(self, child_id: str) -> bool:
        return self._keys.pop(child_id, None) is not None
