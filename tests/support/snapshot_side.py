"""Snapshots of one child, over a store in memory that waits when it is told to."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from command_service.aggregates.snapshot_layout import from_head, with_line
from command_service.aggregates.snapshots import LoadedChild, Snapshots
from command_service.child.decider import evolve
from command_service.child.state import Child
from shared.event_store.envelope import StreamPosition
from shared.event_store.port import Snapshot
from shared.events.child import ChildEvent
from shared.keyring.keyring import ChildCipher
from tests.fakes.event_store import MemoryEventStore, MemorySnapshotStore
from tests.support.child_facts import ADA, ALLOWED, REPORTED

CIPHER = ChildCipher(ADA, bytes(range(32)))
"""Under whose key the golden snapshots are sealed."""

POSITION = StreamPosition(7, "ab" * 32)


def an_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def folded(*events: ChildEvent) -> Child:
    return reduce(evolve, events, Child())


def with_open_violations(number: int) -> Child:
    return folded(*ALLOWED, *(replace(REPORTED, violation_id=an_id(n)) for n in range(number)))


def from_lines(lines: Iterable[bytes]) -> Child:
    """The child of a snapshot's text, in one step."""
    head, *others = lines
    return reduce(with_line, others, from_head(head))


class HeldStore(MemorySnapshotStore):
    """Saves, and gives parts, only while `open` is set; `asked` once somebody waits for that."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[Snapshot] = []
        self.asked, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def save(self, snapshot: Snapshot) -> None:
        await self._wait()
        await super().save(snapshot)
        self.saved.append(snapshot)

    async def parts_of(self, snapshot: Snapshot) -> tuple[str, ...]:
        await self._wait()
        return await super().parts_of(snapshot)

    async def _wait(self) -> None:
        self.asked.set()
        await self.open.wait()


class Side:
    def __init__(self, every: int = 1, part_bytes: int = 10_000) -> None:
        self.store = HeldStore()
        self.events = MemoryEventStore()
        self.snapshots = Snapshots(self.store, self.events, every, part_bytes)

    async def take(self, child: Child, since: int = 10**6) -> LoadedChild:
        loaded = LoadedChild(child, POSITION, since)
        return await self.snapshots.take_behind_a_command(ADA, loaded, CIPHER)

    async def read(self) -> Child | None:
        snapshot = await self.snapshots.find(ADA)
        loaded = None if snapshot is None else await self.snapshots.opened(snapshot, CIPHER)
        return None if loaded is None else loaded.child

    async def is_saved(self) -> bool:
        return bool(self.store.saved)
