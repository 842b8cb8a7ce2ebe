"""Blocks of the audit trail: read in order, and compared with their own hashes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shared.audit.chain import Block, Tail, digest_of, expected_hash, fields_of
from shared.audit.record import Record


@dataclass(frozen=True, slots=True)
class Finding:
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(slots=True)
class Report:
    """`counted`: what was looked at. `notes`: what no proof covers, which is no finding."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)

    def found(self, where: str, what: str) -> None:
        self.findings.append(Finding(where, what))

    def count(self, what: str, more: int = 1) -> None:
        self.counted[what] = self.counted.get(what, 0) + more


def check_block(block: Block, read: Sequence[Record | None], tail: Tail) -> list[Finding]:
    """`read`: its lines, read. `tail` is where the segment ended before this block."""
    return [*_place(block, tail), *check_content(block, read)]


def check_content(block: Block, read: Sequence[Record | None]) -> list[Finding]:
    """Whether the block by itself is what was written, wherever it stands."""
    sequences = range(block.first, block.last + 1)
    if not block.digests or expected_hash(block) != block.hash:
        return [Finding(_block(block), "edited: its hash does not match its digests")]
    findings = [*_lines(block, sequences, read)]
    records = [record for record in read if record is not None]
    if not findings and len(records) < len(sequences):
        findings.append(Finding(_block(block), "contains an entry that is not a valid record"))
    return findings or [*_beside(block, records)]


def _place(block: Block, tail: Tail) -> Iterator[Finding]:
    expected = tail.sequence + 1
    if block.first > expected:
        yield Finding(_records(block.segment, expected, block.first - 1), "deleted")
    elif block.first < expected:
        yield Finding(_block(block), "written twice or out of order")
    elif block.previous_hash != tail.hash:
        yield Finding(_block(block), "the previous record is not the one to which it was chained")


def _lines(block: Block, sequences: range, read: Sequence[Record | None]) -> Iterator[Finding]:
    order = [-1 if record is None else record["sequence"] for record in read]
    lines = dict(zip(order, block.lines, strict=True))
    digests = {digest_of(line) for line in block.lines}
    for sequence, digest in zip(sequences, block.digests, strict=True):
        line = lines.get(sequence)
        if line is None and digest not in digests:
            yield Finding(_records(block.segment, sequence, sequence), "deleted or edited")
        elif line is None or digest_of(line) != digest:
            yield Finding(_records(block.segment, sequence, sequence), "edited")
    if order != sorted(order):
        yield Finding(_block(block), f"reordered: its records stand as {order}")
    elif len(block.lines) > len(sequences):
        yield Finding(_block(block), "contains an added record")


def _beside(block: Block, records: Sequence[Record]) -> Iterator[Finding]:
    """No hash covers what a block is found by: changed, it hides records from who looks for them,
    or has them deleted as old."""
    try:
        expected = fields_of(block, records)
    except ValueError:
        yield Finding(_block(block), "contains an invalid time")
        return
    differing = [name for name, value in expected.items() if block.beside.get(name) != value]
    if differing:
        what = f"edited beside its records: {', '.join(differing)} not as these say"
        yield Finding(_block(block), what)


def _records(segment: str, first: int, last: int) -> str:
    many = f"record {first}" if first == last else f"records {first} to {last}"
    return f"audit segment {segment}, {many}"


def _block(block: Block) -> str:
    return _records(block.segment, block.first, max(block.first, block.last))
