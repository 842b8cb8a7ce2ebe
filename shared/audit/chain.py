"""Records that became durable together are a block; each segment's blocks are a hash chain.

    digest of a record = SHA-256(its line)
    root of a block    = SHA-256(digests of its records, a line each)
    hash of a block    = SHA-256(previous block's hash, place, root, a line each)

A place is `<segment>@<first sequence>`. Three levels, so that one record can be proved to somebody
who must not see its neighbours: their digests are enough, and one root for each block beyond.

No hash covers what the store keeps beside the lines to look blocks up by. Whatever is decided, is
decided by the lines; `fields_of` says what should stand beside them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from operator import itemgetter
from typing import Any

from shared.audit.record import AuditRecord, Record, line_of, read_line
from shared.clock import parse_iso

SEQUENCE_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a segment ends: its last record's sequence (0: empty) and its last block's hash."""

    sequence: int = 0
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Records of a segment from `first` on. `beside`: what the store keeps beside them to find the
    block by, which anybody may have changed who may write there."""

    segment: str
    first: int
    lines: tuple[str, ...]
    digests: tuple[str, ...]
    previous_hash: str
    hash: str
    beside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last record's sequence, by what the hash covers."""
        return self.first + len(self.digests) - 1

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
    contents = [record.content(sequence) for sequence, record in enumerate(records, first)]
    lines = tuple(map(line_of, contents))
    block = Block(
        segment=segment,
        first=first,
        lines=lines,
        digests=tuple(map(digest_of, lines)),
        previous_hash=tail.hash,
        hash="",
    )
    return replace(block, hash=expected_hash(block), beside=fields_of(block, contents))


def read_lines(block: Block) -> list[Record | None]:
    """What its lines say, each; None for what is no record."""
    return [read_line(line) for line in block.lines]


def records_of(block: Block) -> list[Record]:
    """What its lines say; those that are no records are left out: `check_block` names them."""
    return [record for record in read_lines(block) if record is not None]


def times_of(records: Sequence[Record]) -> tuple[datetime, datetime]:
    """The oldest's and the newest's time, of at least one. Raises ValueError for a 31 February."""
    times = [record["at"] for record in records]
    return parse_iso(min(times)), parse_iso(max(times))


def fields_of(block: Block, records: Sequence[Record]) -> dict[str, Any]:
    """What stands beside the block's lines; `records` are what they say, at least one."""
    since, until = times_of(records)
    return {
        "segment": block.segment,
        "first": block.first,
        "last": block.last,
        "since": since,
        "until": until,
        "children": list(dict.fromkeys(chain.from_iterable(map(itemgetter("children"), records)))),
        "subjects": list(dict.fromkeys(map(itemgetter("subject"), records))),
        "operations": list(dict.fromkeys(map(itemgetter("operation"), records))),
    }


def expected_hash(block: Block) -> str:
    place = place_of(block.segment, block.first)
    return block_hash(block.previous_hash, place, root_of(block.digests))
