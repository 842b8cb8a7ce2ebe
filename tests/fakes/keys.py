"""The key store and the list of the erased, in memory: a test's own."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from shared.keyring.erased_list import ErasedChild, ErasureStep, OpenErasures, StepDone
from shared.keyring.key_store import KeyDestroyed, WrappedKey


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

    async def count_by_kek(self, seconds: float = 0.0) -> dict[str, int]:
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


class MemoryErasedList:
    def __init__(self) -> None:
        self._children: dict[str, ErasedChild] = {}

    async def add(self, child: ErasedChild) -> None:
        known = self._children.get(child.child_id)
        if known is not None:
            older = known.older if child.older is None else child.older
            child = replace(child, steps=known.steps, older=older)
        self._children[child.child_id] = child

    async def record(self, child_id: str, step: ErasureStep, done: StepDone) -> None:
        known = self._children.get(child_id)
        if known is None:
            return
        before = known.steps.get(step)
        if before is not None:
            at = done.at if done.removed else before.at
            done = StepDone(at, before.removed + done.removed)
        steps = {**known.steps, step: done}
        self._children[child_id] = replace(known, steps=steps)

    async def find(self, child_ids: Collection[str]) -> list[ErasedChild]:
        return [self._children[one] for one in child_ids if one in self._children]

    async def page(self, after: str, limit: int) -> list[ErasedChild]:
        following = sorted(one for one in self._children if one > after)
        return [self._children[one] for one in following[:limit]]

    async def open_erasures(self, limit: int) -> OpenErasures:
        still = [child for child in self._children.values() if child.missing]
        oldest = sorted(still, key=lambda child: child.at)[:limit]
        return OpenErasures(len(self._children), len(still), oldest)

    async def since(self, moment: datetime) -> list[str]:
        return [child.child_id for child in self._children.values() if child.at >= moment]
