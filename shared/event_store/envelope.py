"""What surrounds an event: position, author, correlation, and the commit that made it a fact. Each
child's commits are a hash chain over ciphertext: it still verifies after erasure."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime

import orjson

from shared.clock import iso

VERSION_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused a commit: the subject and role of the verified token."""

    subject: str
    role: str


@dataclass(frozen=True, slots=True)
class Causality:
    """Ties a commit to the request that caused it. `traceparent` as in W3C Trace Context."""

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


BEHIND_OLDER_KEYS = "g"
"""Idempotency keys of earlier releases are hexadecimal and sort before it; today's sort behind."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What is kept of a request under an idempotency key. `key` is scoped to its caller and keyed
    with the index key; `fingerprint` distinguishes other requests under it, keyed with the child's
    own data key. In commits of earlier releases `key` is a plain hash, and the index key keys the
    other."""

    key: str
    fingerprint: str

    @property
    def is_older(self) -> bool:
        """Whether an earlier release made it."""
        return self.key < BEHIND_OLDER_KEYS


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """One event on the wire: `data` is its JSON with personal fields sealed."""

    type: str
    schema_version: int
    occurred_at: datetime
    data: str


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where a child's stream ends: its last version (0: empty) and the hash of its last commit."""

    version: int = 0
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """All events of one command, offered to the event store at `expected` position.

    Without events it says that a command changed nothing: it takes no place in the stream, and
    keeps its idempotency key as every other commit does. It must have one.
    """

    child_id: str
    expected: StreamPosition
    events: tuple[EncodedEvent, ...]
    recorded_at: datetime
    actor: Actor
    causality: Causality
    idempotency: Idempotency | None = None
    result: dict[str, str] = field(default_factory=dict)
    """Ids the command produced, e.g. `{"violation_id": ...}`: the answer to a repeated request."""

    @property
    def first_version(self) -> int:
        return self.expected.version + 1

    @property
    def previous_hash(self) -> str:
        return self.expected.hash


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event that is a fact: `version` is its place 1..n in its child's stream."""

    child_id: str
    version: int
    type: str
    schema_version: int
    occurred_at: datetime
    recorded_at: datetime
    data: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None

    @property
    def event_id(self) -> str:
        return event_id(self.child_id, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(NewCommit):
    """A commit as stored, after the position `expected`. `hash` chains it to the commit before it
    in the child's stream."""

    hash: str

    @property
    def last_version(self) -> int:
        return self.first_version + len(self.events) - 1

    @property
    def position(self) -> StreamPosition:
        return StreamPosition(self.last_version, self.hash)

    @property
    def place(self) -> str:
        """Unique in the event store: a place in the child's stream or, without events, a key's."""
        if self.events:
            return commit_id(self.child_id, self.first_version)
        if self.idempotency is None:
            raise ValueError("a commit without events needs an idempotency key")
        # sorts before every place of the child's stream: `!` comes before the digits
        return f"{self.child_id}@!{self.idempotency.key}"

    def recorded_events(self) -> Iterator[RecordedEvent]:
        for version, event in enumerate(self.events, self.first_version):
            yield RecordedEvent(
                child_id=self.child_id,
                version=version,
                type=event.type,
                schema_version=event.schema_version,
                occurred_at=event.occurred_at,
                recorded_at=self.recorded_at,
                data=event.data,
                correlation_id=self.causality.correlation_id,
                causation_id=self.causality.causation_id,
                traceparent=self.causality.traceparent,
            )


def event_id(child_id: str, version: int) -> str:
    return f"{child_id}@{version}"


def version_of_event(event_id: str) -> int:
    """The version in an id that `event_id` made."""
    return int(event_id.rpartition("@")[2])


def commit_id(child_id: str, first_version: int) -> str:
    """Zero-padded, so that commits sort by child and then by version."""
    return f"{child_id}@{first_version:0{VERSION_DIGITS}d}"


def before_all_commits(child_id: str) -> str:
    """Sorts before every commit id of the child, those without a version among them."""
    return f"{child_id}@"


def after_all_commits(child_id: str) -> str:
    """Sorts after every commit id of the child and before those of the next: `:` follows `9`."""
    return f"{child_id}@:"


def canonical_body(commit: NewCommit) -> dict[str, object]:
    """The content that a commit's hash covers, as plain JSON values."""
    cause, kept = commit.causality, commit.idempotency
    return {
        "child_id": commit.child_id,
        "first_version": commit.first_version,
        "events": [[e.type, e.schema_version, iso(e.occurred_at), e.data] for e in commit.events],
        "recorded_at": iso(commit.recorded_at),
        "actor": [commit.actor.subject, commit.actor.role],
        "causality": [cause.correlation_id, cause.causation_id, cause.traceparent],
        "idempotency": [kept.key, kept.fingerprint] if kept else None,
        "result": commit.result,
    }


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
    return hashlib.sha256(commit.previous_hash.encode() + canonical).hexdigest()


_CONTENT = tuple(each.name for each in fields(NewCommit))


def seal_commit(commit: NewCommit) -> Commit:
    """The stored form of `commit`, chained to the position that it expects."""
    content = {name: getattr(commit, name) for name in _CONTENT}
    return Commit(**content, hash=chained_hash(commit))


def verify_chain(commits: Iterable[Commit], start: StreamPosition | None = None) -> StreamPosition:
    """Walk one child's commits in order; raises ChainBroken at the first that does not fit."""
    position = start or StreamPosition()
    for commit in commits:
        if commit.first_version != position.version + 1:
            reason = f"expected version {position.version + 1}"
            raise ChainBroken(commit.child_id, commit.first_version, reason)
        if commit.previous_hash != position.hash:
            raise ChainBroken(commit.child_id, commit.first_version, "predecessor differs")
        if chained_hash(commit) != commit.hash:
            raise ChainBroken(commit.child_id, commit.first_version, "content differs from hash")
        position = commit.position
    return position
