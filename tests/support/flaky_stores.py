"""Memory stores that fail as told: before the work is done, or after it (the answer got lost)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from shared.event_store.envelope import Commit, NewCommit
from shared.event_store.port import Snapshot, StoreUnavailable
from tests.fakes.event_store import MemoryClaimStore, MemoryEventStore, MemorySnapshotStore
from tests.fakes.keys import MemoryKeyStore


@dataclass
class FlakyEventStore(MemoryEventStore):
    """`failing_loads` and `failing_appends` fail before, `lost_answers` after the work."""

    failing_loads: int = 0
    failing_appends: int = 0
    lost_answers: int = 0
    offers: list[NewCommit] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        if self.failing_loads > 0:
            self.failing_loads -= 1
            raise StoreUnavailable("no primary")
        return await super().load(child_id, after_version, limit)

    async def append(self, commit: NewCommit) -> Commit:
        self.offers.append(commit)
        if self.failing_appends > 0:
            self.failing_appends -= 1
            raise StoreUnavailable("no primary")
        stored = await super().append(commit)
        if self.lost_answers > 0:
            self.lost_answers -= 1
            raise StoreUnavailable("connection reset")
        return stored


class UnreachableClaimStore(MemoryClaimStore):
    """Releases nothing."""

    async def release(self, key: str, child_id: str, before_version: int) -> None:
        raise StoreUnavailable("no primary")


class UnreachableSnapshotStore(MemorySnapshotStore):
    """Saves nothing."""

    async def save(self, snapshot: Snapshot) -> None:
        raise StoreUnavailable("no primary")


class FlakyKeyStore(MemoryKeyStore):
    """Fails the first `failing_deletes`."""

    failing_deletes = 0

    async def destroy(self, child_id: str) -> bool:
        if self.failing_deletes > 0:
            self.failing_deletes -= 1
            raise StoreUnavailable("no primary")
        return await super().destroy(child_id)


class Interleaved:
    """Calls of a memory store take a few turns of the event loop, as on a server: `random` many."""

    def __init__(self, store: Any, random: Random) -> None:
        self._store = store
        self._random = random

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._store, name)
        if name == "scan":
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._some_turns()
            result = await method(*arguments, **named)
            await self._some_turns()
            return result

        return call

    async def _some_turns(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
