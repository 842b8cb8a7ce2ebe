"""Parts of the trail that prove records up to a signed head, and the statements that take the place
of purged records."""

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from shared.audit.block_check import Report
from shared.audit.chain import Block, Tail, block_hash, digest_of, place_of, records_of, root_of
from shared.audit.heads import Head, open_head
from shared.audit.port import ReadableTrail
from shared.audit.record import Record, read_line
from shared.audit.turns import in_turn
from shared.signing import StatementRefused, StatementVerifier

Wanted = Callable[[Record], bool]


class SignedTails:
    """For each segment, the ends that its own and others' heads have signed."""

    def __init__(self, heads: Iterable[tuple[Head, str]]) -> None:
        self._texts: dict[str, dict[int, str]] = {}
        for head, text in heads:
            for segment, tail in {**head.seen, head.segment: head.tail}.items():
                self._texts.setdefault(segment, {}).setdefault(tail.sequence, text)
        self._ends = {segment: sorted(texts) for segment, texts in self._texts.items()}

    def after(self, segment: str, sequence: int) -> tuple[int, str] | None:
        """The first signed end at or after `sequence`, and the head that says it."""
        ends = self._ends.get(segment, [])
        place = bisect_left(ends, sequence)
        return (ends[place], self._texts[segment][ends[place]]) if place < len(ends) else None


class Spans:
    """Makes spans of the wanted records. `unsigned`: how many of them no head covers yet;
    `records`: how many the spans disclose.

    A span discloses the lines that were asked for. For the others of the same blocks it holds
    digests, for the blocks between one root each.
    """

    def __init__(self, store: ReadableTrail, tails: SignedTails, wanted: Wanted) -> None:
        self._store = store
        self._tails = tails
        self._wanted = wanted
        self.unsigned = 0
        self.records = 0

    async def over(self, blocks: AsyncIterator[Block]) -> AsyncIterator[dict[str, Any]]:
        """`blocks` are in order of their places. Each span goes up to the next signed head."""
        reached: tuple[str, int] = ("", 0)
        async for block in blocks:
            if block.segment == reached[0] and block.last <= reached[1]:
                continue
            wanted = await in_turn(self._count, block)
            if not wanted:
                continue
            end = self._tails.after(block.segment, block.last)
            if end is None:
                self.unsigned += wanted
                continue
            reached = (block.segment, end[0])
            span = await _span(self._store, block, end, self._wanted)
            self.records += sum(len(entry.get("lines", ())) for entry in span["blocks"])
            yield span

    def _count(self, block: Block) -> int:
        return sum(map(self._wanted, records_of(block)))


async def _span(
    store: ReadableTrail, begin: Block, end: tuple[int, str], wanted: Wanted
) -> dict[str, Any]:
    entries = []
    async for block in store.segment(begin.segment, begin.first):
        if block.first > end[0]:
            break
        entries.append(await in_turn(_entry, block, wanted))
    return {
        "segment": begin.segment,
        "previous_hash": begin.previous_hash,
        "blocks": entries,
        "head": end[1],
    }


def _entry(block: Block, wanted: Wanted) -> dict[str, Any]:
    read = ((line, read_line(line)) for line in block.lines)
    lines = [line for line, record in read if record is not None and wanted(record)]
    place = {"first": block.first, "last": block.last}
    if not lines:
        return {**place, "root": root_of(block.digests)}
    return {**place, "digests": list(block.digests), "lines": lines}


def check_signed(
    kind: str, signature: str, content: Mapping[str, Any], verifier: StatementVerifier, to: Report
) -> bool:
    """Compares `content` with what was signed; whether the signature holds."""
    try:
        signed = verifier.open(kind, signature)
    except StatementRefused as error:
        to.found("signature of the file", str(error))
        return False
    if any(signed.get(name) != value for name, value in content.items()):
        to.found("file", "altered after it was signed: something was added, removed or changed")
    return True


def check_spans(
    spans: Sequence[Mapping[str, Any]], verifier: StatementVerifier, report: Report
) -> list[Record]:
    """The disclosed records. Raises KeyError, TypeError or ValueError for what is no span."""
    records: list[Record] = []
    for span in spans:
        records += _check_span(span, verifier, report)
    return records


def _check_span(
    span: Mapping[str, Any], verifier: StatementVerifier, report: Report
) -> list[Record]:
    records: list[Record] = []
    segment, tail = str(span["segment"]), Tail(0, str(span["previous_hash"]))
    for block in span["blocks"]:
        where = f"audit segment {segment}, records {block['first']} to {block['last']}"
        if tail.sequence and block["first"] != tail.sequence + 1:
            report.found(where, "the previous blocks are missing")
        # where digests are given, they make the root: lines are compared with them
        root = root_of(block["digests"]) if "digests" in block else block["root"]
        for line in block.get("lines", ()):
            record = orjson.loads(line)
            place = record["sequence"] - block["first"]
            if not 0 <= place < len(block["digests"]) or block["digests"][place] != digest_of(line):
                report.found(f"audit segment {segment}, record {record['sequence']}", "edited")
            records.append(record)
        tail = Tail(block["last"], block_hash(tail.hash, place_of(segment, block["first"]), root))
    _check_head(span, segment, tail, verifier, report)
    return records


def _check_head(
    span: Mapping[str, Any], segment: str, tail: Tail, verifier: StatementVerifier, report: Report
) -> None:
    where = f"audit segment {segment}, records up to {tail.sequence}"
    try:
        head = open_head(verifier, span["head"])
    except StatementRefused as error:
        report.found(f"audit segment {segment}, signed head", str(error))
        return
    if tail not in (head.tail if head.segment == segment else None, head.seen.get(segment)):
        report.found(where, "their hash differs from the signed head")


KIND = "teddy-audit-purge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """All records of `segment` up to `tail` were older than `before`, and were deleted at `at`. Its
    first `heads` signed heads went with them; `head_digest` is the last one's.

    Such a statement takes the deleted records' place: the segment's chain goes on from the tail
    that it names. Only its newest one counts for a segment, each covers all before.
    """

    segment: str
    tail: Tail = field(default_factory=Tail)
    heads: int = 0
    head_digest: str = ""
    before: str = ""
    at: str = ""

    def statement(self) -> dict[str, Any]:
        return {
            "segment": self.segment,
            "sequence": self.tail.sequence,
            "hash": self.tail.hash,
            "heads": self.heads,
            "head_digest": self.head_digest,
            "before": self.before,
            "at": self.at,
        }


def open_purged(verifier: StatementVerifier, text: str) -> Purged:
    """Raises StatementRefused, KeyError, TypeError or ValueError."""
    content = verifier.open(KIND, text)
    return Purged(
        segment=content["segment"],
        tail=Tail(content["sequence"], content["hash"]),
        heads=content["heads"],
        head_digest=content["head_digest"],
        before=content["before"],
        at=content["at"],
    )


class SignedPurges:
    """For each segment the newest statement, from the database and from the file."""

    def __init__(self, verifier: StatementVerifier, report: Report) -> None:
        self._verifier = verifier
        self._report = report
        self._newest: dict[str, Purged] = {}
        self._texts: dict[str, str] = {}

    def __iter__(self) -> Iterator[tuple[Purged, str]]:
        """Of each segment the newest, and its statement."""
        return iter([(self._newest[name], text) for name, text in sorted(self._texts.items())])

    def of(self, segment: str) -> Purged:
        """Of a segment that was never purged, an empty one."""
        return self._newest.get(segment) or Purged(segment=segment)

    def add(self, texts: Iterable[str], source: str) -> None:
        """Refused ones are findings."""
        for number, text in enumerate(texts, 1):
            try:
                purged = open_purged(self._verifier, text)
            except (StatementRefused, KeyError, TypeError, ValueError) as error:
                self._report.found(f"{source}, purge statement {number}", str(error))
                continue
            if purged.tail.sequence > self.of(purged.segment).tail.sequence:
                self._newest[purged.segment] = purged
                self._texts[purged.segment] = text

    def report(self) -> None:
        """Counts what was purged with a statement."""
        for purged in self._newest.values():
            self._report.count("audit records purged before", purged.tail.sequence)
