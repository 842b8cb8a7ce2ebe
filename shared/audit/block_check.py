"""Whether one block is what was written; says which record is not, and how it differs."""

from collections.abc import Iterator
from typing import Any

import orjson

from shared.audit.chain import Block, Tail, digest_of, expected_hash
from shared.audit.findings import Finding


def records_of(block: Block) -> Iterator[dict[str, Any]]:
    """The block's records; those that cannot be read are left out: `check_block` names them."""
    for line in block.lines:
        record = _parsed(line)
        if record is not None:
            yield record


def check_block(block: Block, tail: Tail) -> list[Finding]:
    """`tail` is where the segment ended before this block."""
    return [*_place(block, tail), *_content(block)]


def _place(block: Block, tail: Tail) -> Iterator[Finding]:
    expected = tail.sequence + 1
    if block.first > expected:
        yield Finding(_records(block.segment, expected, block.first - 1), "deleted")
    elif block.first < expected:
        yield Finding(_block(block), "written twice or out of order")
    elif block.previous_hash != tail.hash:
        yield Finding(_block(block), "the record before it is not the one it was chained to")


def _content(block: Block) -> Iterator[Finding]:
    sequences = range(block.first, block.last + 1)
    if len(block.digests) != len(sequences) or expected_hash(block) != block.hash:
        yield Finding(_block(block), "edited: its hash does not cover its digests")
        return
    by_sequence = {_sequence(line): line for line in block.lines}
    for sequence, digest in zip(sequences, block.digests, strict=True):
        line = by_sequence.get(sequence)
        if line is None and digest not in map(digest_of, block.lines):
            yield Finding(_records(block.segment, sequence, sequence), "deleted or edited")
        elif line is None or digest_of(line) != digest:
            yield Finding(_records(block.segment, sequence, sequence), "edited")
    order = [_sequence(line) for line in block.lines]
    if order != sorted(order):
        yield Finding(_block(block), f"reordered: its records stand as {order}")
    elif len(block.lines) > len(sequences):
        yield Finding(_block(block), "holds a record that was added")


def _sequence(line: str) -> int:
    """-1 for what is no record."""
    record = _parsed(line)
    return -1 if record is None else record["sequence"]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("sequence"), int):
        return None
    return record


def _records(segment: str, first: int, last: int) -> str:
    many = f"record {first}" if first == last else f"records {first} to {last}"
    return f"audit segment {segment}, {many}"


def _block(block: Block) -> str:
    return _records(block.segment, block.first, block.last)
