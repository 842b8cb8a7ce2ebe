"""The event store, the snapshot store and the claim store as their callers see them."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from shared.event_store.envelope import Commit, NewCommit


class OlderContent(StrEnum):
    """What commits of earlier releases hold that outlives an erasure, and later ones do not.

    `PRINTS`: whoever has the index key can confirm a guess of a request or of a device id.
    `LABELS`: words that somebody chose, in clear.
    """

    PRINTS = "prints"
    LABELS = "labels"


BEAR = "device"
"""Role of the actors that `OLDER_ALIAS` is about."""

OLDER_ALIAS = "^bear-[0-9a-f]{24}$"
"""A bear as earlier releases named it; today's pseudonyms are shorter."""


class VersionConflict(Exception):
    """The stream moved past the expected position: reload and decide again."""

    def __init__(self, child_id: str, expected_version: int) -> None:
        super().__init__(f"stream of child {child_id} is no longer at version {expected_version}")
        self.child_id = child_id
        self.expected_version = expected_version


class AlreadyCommitted(Exception):
    """The idempotency key is in the store: `commit` is what it produced the first time."""

    def __init__(self, commit: Commit) -> None:
        super().__init__("the idempotency key was used before")
        self.commit = commit


class StoreUnavailable(Exception):
    """The store did not confirm in time. Whether an append landed is unknown: retry it."""


class EventStore(Protocol):
    """One stream of commits a child, append-only."""

    async def append(self, commit: NewCommit) -> Commit:
        """Make `commit` durable (majority, journaled) and return it with its hash.

        One without events is found by its key only: it is in no stream, and conflicts with nothing
        but its key. Raises VersionConflict, AlreadyCommitted or StoreUnavailable; then nothing was
        stored, or (StoreUnavailable) the same offer made again finds out.
        """

    async def append_in_order(self, commits: Sequence[Commit]) -> int:
        """Make `commits` durable as `append` does, each chained to the one before it; how many of
        them landed: all, or those before the first whose place or key was taken.

        They are of one child and have events. Raises StoreUnavailable; then the first few of them
        may have landed, and never one without those before it.
        """

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        """The child's commits with versions above `after_version`, in order; the first `limit`."""

    async def last(self, child_id: str) -> Commit | None:
        """The commit that ends the child's stream; None when there is none."""

    async def find_by_idempotency_key(self, key: str, older: str | None = None) -> Commit | None:
        """The commit that keeps `key`, or `older`: the same key as earlier releases stored it.
        Without events where its command changed nothing."""

    async def has_older_keys(self) -> bool:
        """Whether any commit keeps its key as earlier releases did."""

    async def older_content(self, child_id: str) -> frozenset[OlderContent]:
        """What the child's commits hold that only earlier releases stored."""

    async def erased_among(self, child_ids: Collection[str]) -> set[str]:
        """Those of `child_ids` whose stream has a ChildErased."""

    async def erasures(self, child_ids: Collection[str]) -> dict[str, Commit]:
        """The newest commit with a ChildErased of each of `child_ids` that has one."""

    async def consents(self, child_id: str, before_version: int | None, limit: int) -> list[Commit]:
        """At most `limit` commits that gave or withdrew a consent of the child, the newest first;
        of those that begin below `before_version`, else of all. Reads no other commit."""

    async def erased(self, after: str, limit: int) -> list[str]:
        """At most `limit` children whose stream has a ChildErased, in order, after `after`."""

    def scan(self, after_child: str | None = None) -> AsyncIterator[Commit]:
        """Every commit, ordered by child and version, from the child after `after_child` on."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A reservation of a bear's UDID or device id (`key` is its keyed hash) by a child.

    `version` is the version of the child's stream when the reservation was taken (0: before
    registration). `claimed_at` distinguishes it from earlier ones; it is by the clock of whoever
    took it, so it decides nothing. `released` is set once the child no longer needs it, `contested`
    since somebody else wants the bear. `by` is the command that took it, by its own id; empty for
    one that several commands of the child rely on: none of them gives it back."""

    key: str
    child_id: str
    version: int
    claimed_at: datetime
    released: bool = False
    contested: bool = False
    by: str = ""


class ClaimStore(Protocol):
    """Reservations that are unique across children."""

    async def take(self, *claims: Claim) -> Claim | None:
        """Insert `claims`, of different keys, in their order: None when all are ours now, else the
        reservation that stands in the way of one. Those after that one are not taken."""

    async def find(self, key: str) -> Claim | None: ...

    async def contested_for(self, held: Claim) -> timedelta:
        """How long `held` has been contested without a change, by the store's own clock: callers'
        clocks may be wrong. Zero when nobody contested it before, or when it changed."""

    async def take_over(self, held: Claim, claim: Claim) -> bool:
        """Replace `held` by `claim` if it is as seen, contested or not; False when it changed."""

    async def release(self, key: str, child_id: str, before_version: int) -> None:
        """Mark as released if `child_id` holds it since a version below `before_version`."""

    async def older(self, after: str, limit: int) -> list[Claim]:
        """At most `limit` reservations of a release before device ids were reserved that are not
        released, in the order of their keys, after `after`."""

    async def settle(self, key: str) -> None:
        """Let the reservation be none of the `older` ones any more."""

    async def remove_of(self, child_id: str) -> int:
        """Remove every reservation of the child; how many there were."""

    async def held_by(self, child_ids: Collection[str]) -> set[str]:
        """Those of `child_ids` who have a reservation, released or not."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folded child at `version`, sealed under the child's key. `schema` names its layout, `parts`
    are pieces of its text, of at most 1 MiB each: one, unless the child is large. `apart`: the name
    under which the store keeps several, once it does."""

    child_id: str
    version: int
    hash: str
    schema: str
    parts: tuple[str, ...]
    apart: str = ""


class SnapshotStore(Protocol):
    """The newest snapshot of each child. Losing one costs time, never a fact."""

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot` unless a newer one is there. Killed under way, the one of before is
        whole, and what was left over goes with the next of several parts, or with the child's."""

    async def latest(self, child_id: str) -> Snapshot | None:
        """Without its parts if they are kept `apart`."""

    async def parts_of(self, snapshot: Snapshot) -> tuple[str, ...]:
        """All of a snapshot that `latest` gave; none when they are not whole: a newer snapshot
        replaced it meanwhile, or they are lost."""

    async def delete(self, child_id: str) -> bool:
        """Whatever there is of the child, parts that no snapshot names too; False for nothing."""

    async def kept_of(self, child_ids: Collection[str]) -> set[str]:
        """Those of `child_ids` of whom there is a snapshot, or a part of one."""


PAGE = 2_000
"""Commits. A commit holds the few events of one command."""


async def pages(
    store: EventStore, child_id: str, after_version: int = 0, size: int | None = None
) -> AsyncIterator[list[Commit]]:
    """The child's commits with versions above `after_version`, in order, `size` (`PAGE`) in each
    list but the last; no list for a child without any. Raises StoreUnavailable."""
    page = size or PAGE
    while commits := await store.load(child_id, after_version, page):
        yield commits
        if len(commits) < page:
            return
        after_version = commits[-1].last_version
