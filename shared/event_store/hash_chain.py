"""Each child's history is a hash chain over ciphertext: it still verifies after erasure."""

import hashlib
from collections.abc import Iterable

import orjson

from shared.event_store.envelope import Commit, NewCommit, StreamPosition, canonical_body


class ChainBroken(Exception):
    """A commit's content, order or predecessor is not what its hash says."""

    def __init__(self, child_id: str, version: int, reason: str) -> None:
        super().__init__(f"child {child_id}, version {version}: {reason}")
        self.child_id = child_id
        self.version = version
        self.reason = reason


def chained_hash(commit: NewCommit) -> str:
    """SHA-256 in hex over the previous commit's hash and this commit's canonical JSON."""
    canonical = orjson.dumps(canonical_body(commit), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(commit.expected.hash.encode() + canonical).hexdigest()


def seal_commit(commit: NewCommit) -> Commit:
    """The stored form of `commit`, chained to the position that it expects."""
    return Commit(
        child_id=commit.child_id,
        first_version=commit.expected.version + 1,
        events=commit.events,
        recorded_at=commit.recorded_at,
        actor=commit.actor,
        causality=commit.causality,
        idempotency=commit.idempotency,
        result=commit.result,
        previous_hash=commit.expected.hash,
        hash=chained_hash(commit),
    )


def verify_chain(commits: Iterable[Commit], start: StreamPosition | None = None) -> StreamPosition:
    """Walk one child's commits in order; raises ChainBroken at the first that does not fit."""
    position = start or StreamPosition()
    for commit in commits:
        if commit.first_version != position.version + 1:
            reason = f"expected version {position.version + 1}"
            raise ChainBroken(commit.child_id, commit.first_version, reason)
        if commit.previous_hash != position.hash:
            raise ChainBroken(commit.child_id, commit.first_version, "predecessor differs")
        if chained_hash(_as_offered(commit, position)) != commit.hash:
            raise ChainBroken(commit.child_id, commit.first_version, "content differs from hash")
        position = commit.position
    return position


def _as_offered(commit: Commit, expected: StreamPosition) -> NewCommit:
    return NewCommit(
        child_id=commit.child_id,
        expected=expected,
        events=commit.events,
        recorded_at=commit.recorded_at,
        actor=commit.actor,
        causality=commit.causality,
        idempotency=commit.idempotency,
        result=commit.result,
    )
