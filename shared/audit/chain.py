"""Records that became durable together are a block; each segment's blocks are a hash chain.

    digest of a record = SHA-256(its line)
    root of a block    = SHA-256(digests of its records, a line each)
    hash of a block    = SHA-256(previous block's hash, place, root, a line each)

A place is `<segment>@<first sequence>`. Three levels, so that one record can be proved to somebody
who must not see its neighbours: their digests are enough, and one root for each block beyond.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.audit.record import AuditRecord

SEQUENCE_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a segment ends: its last record's sequence (0: empty) and its last block's hash."""

    sequence: int = 0
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Records `first` to `last` of a segment; `since` and `until` are their times."""

    segment: str
    first: int
    last: int
    since: datetime
    until: datetime
    lines: tuple[str, ...]
    digests: tuple[str, ...]
    previous_hash: str
    hash: str

    @property
    def tail(self) -> Tail:
        return Tail(self.last, self.hash)


def place_of(segment: str, first: int) -> str:
    """Zero-padded, so that blocks sort by segment and then by sequence."""
    return f"{segment}@{first:0{SEQUENCE_DIGITS}d}"


def digest_of(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def root_of(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def block_hash(previous_hash: str, place: str, root: str) -> str:
    return hashlib.sha256("\n".join((previous_hash, place, root)).encode()).hexdigest()


def seal_block(segment: str, tail: Tail, records: Sequence[AuditRecord]) -> Block:
    """`records`, of which there is at least one, chained to what ends at `tail`."""
    first = tail.sequence + 1
    lines = tuple(record.line(sequence) for sequence, record in enumerate(records, first))
    block = Block(
        segment=segment,
        first=first,
        last=tail.sequence + len(records),
        since=min(record.at for record in records),
        until=max(record.at for record in records),
        lines=lines,
        digests=tuple(digest_of(line) for line in lines),
        previous_hash=tail.hash,
        hash="",
    )
    return replace(block, hash=expected_hash(block))


def expected_hash(block: Block) -> str:
    place = place_of(block.segment, block.first)
    return block_hash(block.previous_hash, place, root_of(block.digests))
