"""The event store's twins in memory: the same behaviour as on MongoDB, for tests."""

from bisect import bisect_right, insort
from collections.abc import AsyncIterator
from dataclasses import replace

from shared.envelope import Commit, NewCommit, after_all_commits, commit_id
from shared.event_store.outcomes import outcome_when_taken
from shared.event_store.port import Claim, Snapshot
from shared.hash_chain import seal_commit


class MemoryEventStore:
    """Commits by id. Nothing here awaits between look and write, so an append is atomic."""

    def __init__(self) -> None:
        self._commits: dict[str, Commit] = {}
        self._by_key: dict[str, Commit] = {}
        self._order: list[str] = []

    async def append(self, commit: NewCommit) -> Commit:
        sealed = seal_commit(commit)
        place = commit_id(sealed.child_id, sealed.first_version)
        key = sealed.idempotency.key if sealed.idempotency else None
        with_its_key = None if key is None else self._by_key.get(key)
        if place in self._commits or with_its_key is not None:
            return outcome_when_taken(sealed, self._commits.get(place), with_its_key)
        self._commits[place] = sealed
        insort(self._order, place)
        if key is not None:
            self._by_key[key] = sealed
        return sealed

    async def load(self, child_id: str, after_version: int = 0) -> list[Commit]:
        first = bisect_right(self._order, commit_id(child_id, 0))
        end = bisect_right(self._order, after_all_commits(child_id))
        commits = [self._commits[place] for place in self._order[first:end]]
        return [commit for commit in commits if commit.last_version > after_version]

    async def find_by_idempotency_key(self, key: str) -> Commit | None:
        return self._by_key.get(key)

    async def scan(self, after_child: str | None = None) -> AsyncIterator[Commit]:
        start = bisect_right(self._order, after_all_commits(after_child)) if after_child else 0
        for place in self._order[start:]:
            yield self._commits[place]


class MemoryClaimStore:
    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}

    async def take(self, claim: Claim) -> Claim | None:
        standing = self._claims.setdefault(claim.key, claim)
        return None if standing == claim else standing

    async def take_over(self, held: Claim, claim: Claim) -> bool:
        if self._claims.get(held.key) != held:
            return False
        self._claims[held.key] = claim
        return True

    async def release(self, key: str, child_id: str, before_version: int) -> None:
        held = self._claims.get(key)
        if held is not None and held.child_id == child_id and held.version < before_version:
            self._claims[key] = replace(held, released=True)


class MemorySnapshotStore:
    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}

    async def save(self, snapshot: Snapshot) -> None:
        kept = self._snapshots.get(snapshot.child_id)
        if kept is None or kept.version < snapshot.version:
            self._snapshots[snapshot.child_id] = snapshot

    async def latest(self, child_id: str) -> Snapshot | None:
        return self._snapshots.get(child_id)

    async def delete(self, child_id: str) -> None:
        self._snapshots.pop(child_id, None)
