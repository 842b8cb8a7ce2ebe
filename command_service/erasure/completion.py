"""What follows once ChildErased is a fact. Each step may be repeated; none waits for another's."""

from dataclasses import dataclass

from shared.clock import Clock
from shared.envelope import Commit
from shared.event_store.port import ClaimStore, SnapshotStore
from shared.keyring.erased_list import ErasedChild, ErasedList, ErasureStep, StepDone
from shared.keyring.key_store import KeyStore


@dataclass(frozen=True, slots=True)
class ErasureCompletion:
    """The steps of the write side, in their order: first of all the child is on the list, so that
    whatever a crash leaves over is found. The worker does the rest when the event reaches it."""

    erased: ErasedList
    keys: KeyStore
    claims: ClaimStore
    snapshots: SnapshotStore
    clock: Clock

    async def complete(self, commit: Commit) -> None:
        """Remove what is left of the child whose stream `commit` ends. Raises StoreUnavailable."""
        child_id = commit.child_id
        await self.erased.add(
            ErasedChild(
                child_id=child_id,
                at=commit.recorded_at,
                by_role=commit.actor.role,
                version=commit.last_version,
                hash=commit.hash,
            )
        )
        await self._record(child_id, ErasureStep.KEY, await self.keys.destroy(child_id))
        await self._record(child_id, ErasureStep.CLAIMS, await self.claims.remove_of(child_id))
        await self._record(child_id, ErasureStep.SNAPSHOTS, await self.snapshots.delete(child_id))

    async def _record(self, child_id: str, step: ErasureStep, removed: int) -> None:
        await self.erased.record(child_id, step, StepDone(self.clock(), removed))
