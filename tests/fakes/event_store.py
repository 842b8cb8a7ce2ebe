"""The event store's in-memory fakes: the same behaviour as on MongoDB, for tests."""

import re
from bisect import bisect_right, insort
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.clock import Clock, utc_now
from shared.event_store.envelope import (
    BEHIND_OLDER_KEYS,
    Commit,
    NewCommit,
    after_all_commits,
    commit_id,
    seal_commit,
)
from shared.event_store.group_commit import outcome_when_taken
from shared.event_store.port import BEAR, OLDER_ALIAS, Claim, OlderContent, Snapshot
from shared.events.child import CONSENTING, ERASED
from shared.events.personal import LABELS_IN_CLEAR, LAST_IN_CLEAR


class MemoryEventStore:
    """Commits by id. Nothing here awaits between look and write, so an append is atomic."""

    def __init__(self) -> None:
        self._commits: dict[str, Commit] = {}
        self._by_key: dict[str, Commit] = {}
        self._order: list[str] = []

    async def append(self, commit: NewCommit) -> Commit:
        return self._append(seal_commit(commit))

    async def append_in_order(self, commits: Sequence[Commit]) -> int:
        for landed, commit in enumerate(commits):
            key = commit.idempotency.key if commit.idempotency else None
            if commit.place in self._commits or key in self._by_key:
                return landed
            self._append(commit)
        return len(commits)

    def _append(self, sealed: Commit) -> Commit:
        place = sealed.place
        key = sealed.idempotency.key if sealed.idempotency else None
        with_its_key = None if key is None else self._by_key.get(key)
        if place in self._commits or with_its_key is not None:
            return outcome_when_taken(sealed, self._commits.get(place), with_its_key)
        self._commits[place] = sealed
        if sealed.events:
            insort(self._order, place)
        if key is not None:
            self._by_key[key] = sealed
        return sealed

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        first = bisect_right(self._order, commit_id(child_id, 0))
        end = bisect_right(self._order, after_all_commits(child_id))
        commits = [self._commits[place] for place in self._order[first:end]]
        return [commit for commit in commits if commit.last_version > after_version][:limit]

    async def last(self, child_id: str) -> Commit | None:
        first = bisect_right(self._order, commit_id(child_id, 0))
        end = bisect_right(self._order, after_all_commits(child_id))
        return self._commits[self._order[end - 1]] if end > first else None

    async def find_by_idempotency_key(self, key: str, older: str | None = None) -> Commit | None:
        return self._by_key.get(key) or self._by_key.get(older or key)

    async def has_older_keys(self) -> bool:
        return any(key < BEHIND_OLDER_KEYS for key in self._by_key)

    async def older_content(self, child_id: str) -> frozenset[OlderContent]:
        return older_content_of(one for one in self._commits.values() if one.child_id == child_id)

    async def erased_among(self, child_ids: Collection[str]) -> set[str]:
        return {child_id for child_id in self._erased() if child_id in child_ids}

    async def erasures(self, child_ids: Collection[str]) -> dict[str, Commit]:
        commits = (self._commits[place] for place in self._order)
        return {one.child_id: one for one in commits if _erases(one) and one.child_id in child_ids}

    async def consents(self, child_id: str, before_version: int | None, limit: int) -> list[Commit]:
        found = [one for one in await self.load(child_id) if _changes_consents(one)]
        if before_version is not None:
            found = [one for one in found if one.first_version < before_version]
        return found[::-1][:limit]

    async def erased(self, after: str, limit: int) -> list[str]:
        return sorted(child_id for child_id in self._erased() if child_id > after)[:limit]

    async def scan(self, after_child: str | None = None) -> AsyncIterator[Commit]:
        start = bisect_right(self._order, after_all_commits(after_child)) if after_child else 0
        for place in self._order[start:]:
            yield self._commits[place]

    def _erased(self) -> set[str]:
        commits = (self._commits[place] for place in self._order)
        return {one.child_id for one in commits if _erases(one)}


def _erases(commit: Commit) -> bool:
    return any(event.type == ERASED for event in commit.events)


def _changes_consents(commit: Commit) -> bool:
    return any(event.type in CONSENTING for event in commit.events)


class MemoryClaimStore:
    """`clock` is the store's own."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._claims: dict[str, Claim] = {}
        self._contested_at: dict[str, datetime] = {}
        self._older: set[str] = set()
        self._clock = clock

    async def take(self, *claims: Claim) -> Claim | None:
        for claim in claims:
            standing = self._claims.setdefault(claim.key, claim)
            if standing != claim:
                return replace(standing, contested=claim.key in self._contested_at)
        return None

    def put_older(self, claim: Claim) -> None:
        """As the release before device ids were reserved made it."""
        self._claims[claim.key] = claim
        self._older.add(claim.key)

    async def find(self, key: str) -> Claim | None:
        standing = self._claims.get(key)
        return standing and replace(standing, contested=key in self._contested_at)

    async def contested_for(self, held: Claim) -> timedelta:
        if not self._is_as_seen(held):
            return timedelta()
        now = self._clock()
        return now - self._contested_at.setdefault(held.key, now)

    async def take_over(self, held: Claim, claim: Claim) -> bool:
        if not self._is_as_seen(held):
            return False
        self._claims[held.key] = claim
        self._contested_at.pop(held.key, None)
        self._older.discard(held.key)
        return True

    async def release(self, key: str, child_id: str, before_version: int) -> None:
        held = self._claims.get(key)
        if held is not None and held.child_id == child_id and held.version < before_version:
            self._claims[key] = replace(held, released=True)

    async def older(self, after: str, limit: int) -> list[Claim]:
        keys = sorted(key for key in self._older & self._claims.keys() if key > after)
        claims = [self._claims[key] for key in keys]
        return [claim for claim in claims if not claim.released][:limit]

    async def settle(self, key: str) -> None:
        self._older.discard(key)

    async def remove_of(self, child_id: str) -> int:
        of_child = [key for key, claim in self._claims.items() if claim.child_id == child_id]
        for key in of_child:
            del self._claims[key]
            self._contested_at.pop(key, None)
        return len(of_child)

    async def held_by(self, child_ids: Collection[str]) -> set[str]:
        return {claim.child_id for claim in self._claims.values()}.intersection(child_ids)

    def _is_as_seen(self, held: Claim) -> bool:
        return self._claims.get(held.key) == replace(held, contested=False)


class MemorySnapshotStore:
    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}

    async def save(self, snapshot: Snapshot) -> None:
        kept = self._snapshots.get(snapshot.child_id)
        if kept is None or kept.version < snapshot.version:
            self._snapshots[snapshot.child_id] = snapshot

    async def latest(self, child_id: str) -> Snapshot | None:
        kept = self._snapshots.get(child_id)
        if kept is None or len(kept.parts) == 1:
            return kept
        return replace(kept, parts=(), apart=f"{kept.version}")

    async def parts_of(self, snapshot: Snapshot) -> tuple[str, ...]:
        kept = self._snapshots.get(snapshot.child_id)
        if not snapshot.apart:
            return snapshot.parts
        return kept.parts if kept is not None and kept.version == snapshot.version else ()

    async def delete(self, child_id: str) -> bool:
        return self._snapshots.pop(child_id, None) is not None

    async def kept_of(self, child_ids: Collection[str]) -> set[str]:
        return set(self._snapshots).intersection(child_ids)


def older_content_of(commits: Iterable[Commit]) -> frozenset[OlderContent]:
    """What `commits` hold of it."""
    return frozenset(kind for commit in commits for kind in _kinds_in(commit))


def _kinds_in(commit: Commit) -> Iterable[OlderContent]:
    is_older = commit.idempotency is not None and commit.idempotency.is_older
    is_bear = commit.actor.role == BEAR
    if is_older or (is_bear and re.match(OLDER_ALIAS, commit.actor.subject)):
        yield OlderContent.PRINTS
    if any(
        event.type in LABELS_IN_CLEAR and event.schema_version <= LAST_IN_CLEAR
        for event in commit.events
    ):
        yield OlderContent.LABELS
