"""What follows once ChildErased is a fact. Each step may be repeated; none waits for another's."""

from collections.abc import Collection
from dataclasses import dataclass

from shared.clock import Clock
from shared.envelope import Commit
from shared.event_store.port import ClaimStore, EventStore, SnapshotStore
from shared.keyring.erased_list import ErasedChild, ErasedList, ErasureStep, StepDone
from shared.keyring.key_store import KeyStore

WRITE_SIDE = {ErasureStep.KEY, ErasureStep.CLAIMS, ErasureStep.SNAPSHOTS}


@dataclass(frozen=True, slots=True)
class ErasureCompletion:
    """The steps of the write side, in their order: first of all the child is on the list, so that
    whatever a crash leaves over is found. The worker does the rest when the event reaches it."""

    erased: ErasedList
    keys: KeyStore
    claims: ClaimStore
    snapshots: SnapshotStore
    events: EventStore
    clock: Clock

    async def complete(self, commit: Commit) -> None:
        """Remove what is left of the child whose stream `commit` ends. Raises StoreUnavailable."""
        await self.erased.add(ErasedChild.of(commit))
        await self.remove(commit.child_id)
        # last: in a long stream it takes longest, and nothing waits for it
        older = await self.events.older_content(commit.child_id)
        await self.erased.add(ErasedChild.of(commit, older))

    async def remove(self, child_id: str) -> None:
        """The steps alone, e.g. for a child that has no stream. Raises StoreUnavailable."""
        await self._record(child_id, ErasureStep.KEY, await self.keys.destroy(child_id))
        await self._record(child_id, ErasureStep.CLAIMS, await self.claims.remove_of(child_id))
        await self._record(child_id, ErasureStep.SNAPSHOTS, await self.snapshots.delete(child_id))

    async def listed_wholly(self, child_ids: Collection[str]) -> list[ErasedChild]:
        """Those who are on the list with every step of the write side, and with what was looked
        for in their commits."""
        listed = await self.erased.find(child_ids)
        return [
            child
            for child in listed
            if child.steps.keys() >= WRITE_SIDE and child.older is not None
        ]

    async def _record(self, child_id: str, step: ErasureStep, removed: int) -> None:
        await self.erased.record(child_id, step, StepDone(self.clock(), int(removed)))
