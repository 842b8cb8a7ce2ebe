"""Signed heads and segments of the audit trail, compared with its blocks."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.audit.block_check import Report, check_block
from shared.audit.chain import Block, Tail, read_lines
from shared.audit.heads import Head, digest_of_head, open_head
from shared.audit.port import ReadableTrail
from shared.audit.record import Record
from shared.audit.spans import KIND as PURGED
from shared.audit.spans import Purged, SignedPurges
from shared.audit.turns import in_turn
from shared.clock import iso
from shared.signing import StatementRefused, StatementVerifier, kind_of


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Records at a segment's end that no head covers; the oldest's and the newest's time."""

    first: int
    last: int
    since: str
    until: str


class SegmentCheck:
    """Checks a segment from `start` on, which is proved already; findings go to `report`."""

    def __init__(self, segment: str, start: Tail, vouched: Iterable[Tail], report: Report) -> None:
        self.tail = start
        self.signed = start
        self._segment = segment
        self._report = report
        self._times: list[str] = []
        self._expected: dict[int, set[str]] = {}
        for one in vouched:
            if one.sequence > start.sequence:
                self._expected.setdefault(one.sequence, set()).add(one.hash)

    def take(self, block: Block) -> list[Record]:
        """Check the next block; its records."""
        read = read_lines(block)
        self._report.findings += check_block(block, read, self.tail)
        self._report.count("audit records", len(block.lines))
        records = [record for record in read if record is not None]
        self.tail = block.tail
        times = [record["at"] for record in records]
        # of all that is not signed only the ends count: no list grows with the trail
        self._times = [end(self._times + times) for end in (min, max)] if times else self._times
        hashes = self._expected.pop(self.tail.sequence, None)
        if hashes is not None:
            self.signed, self._times = self.tail, []
            if hashes != {self.tail.hash}:
                where = f"audit segment {self._segment}, records up to {self.tail.sequence}"
                self._report.found(where, "rewritten: a signed head has a different hash")
        return records

    def end(self) -> Unsigned | None:
        """No block follows: what heads signed beyond it is gone. Returns what no head covers."""
        where = f"audit segment {self._segment}"
        self._report.count("audit segments")
        for sequence in sorted(self._expected):
            if sequence > self.tail.sequence:
                gone = f"truncated: records {self.tail.sequence + 1} to {sequence} are missing"
                self._report.found(where, gone)
                break
            what = f"rewritten: no block ends with record {sequence}, which was signed"
            self._report.found(where, what)
        if self.tail.sequence <= self.signed.sequence or not self._times:
            return None
        return Unsigned(self.signed.sequence + 1, self.tail.sequence, *self._times)


class SignedHeads:
    """`vouched`: for each segment the tails that some head has signed, its own or another's."""

    def __init__(self, verifier: StatementVerifier, report: Report, purges: SignedPurges) -> None:
        self._verifier = verifier
        self._purges = purges
        self._report = report
        self._heads: dict[tuple[str, int], tuple[Head, str]] = {}
        self._places: dict[str, set[tuple[str, int]]] = {}
        self.vouched: dict[str, set[Tail]] = {}

    def __iter__(self) -> Iterator[tuple[Head, str]]:
        """Each head and its statement, by segment and in order."""
        return iter([self._heads[place] for place in sorted(self._heads)])

    def of(self, segment: str) -> list[Head]:
        """The segment's own, in order."""
        return [self._heads[place][0] for place in sorted(self._places.get(segment, ()))]

    def add(self, texts: Iterable[str], source: str) -> set[tuple[str, int]]:
        """Add the heads of `source`; their segments and numbers. Refused ones are findings."""
        places: set[tuple[str, int]] = set()
        for number, text in enumerate(texts, 1):
            try:
                head = open_head(self._verifier, text)
            except (StatementRefused, KeyError, TypeError, ValueError) as error:
                self._report.found(f"{source}, head {number}", str(error))
                continue
            if head.number <= self._purges.of(head.segment).heads:
                continue
            place = (head.segment, head.number)
            places.add(place)
            if self._heads.setdefault(place, (head, text))[1] != text:
                self._report.found(
                    f"{source}, {_name(*place)}", "differs from the one kept elsewhere"
                )
            self._places.setdefault(head.segment, set()).add(place)
            for segment, tail in {head.segment: head.tail, **head.seen}.items():
                self.vouched.setdefault(segment, set()).add(tail)
        return places

    def check_chain(self) -> None:
        """Each segment's heads are numbered without a gap and chained, behind those purged."""
        previous: dict[str, tuple[int, str]] = {}
        for head, text in self:
            purged = self._purges.of(head.segment)
            before, digest = previous.get(head.segment, (purged.heads, purged.head_digest))
            if head.number != before + 1:
                self._report.found(f"audit segment {head.segment}", f"head {before + 1} is missing")
            elif head.previous != digest:
                self._report.found(
                    _name(head.segment, head.number),
                    "the previous head is not the one to which it was chained",
                )
            previous[head.segment] = (head.number, digest_of_head(text))
        self._report.count("signed heads", len(self._heads))


@dataclass(frozen=True, slots=True)
class Signatures:
    """The valid signatures of a trail: statements of purges, and heads."""

    purges: SignedPurges
    heads: SignedHeads

    def purged(self, segment: str) -> Purged:
        return self.purges.of(segment)

    def vouched(self, segment: str) -> set[Tail]:
        return self.heads.vouched.get(segment, set())


async def read_signatures(
    trail: ReadableTrail, verifier: StatementVerifier, file: Iterable[str], report: Report
) -> Signatures:
    """`file`: the lines of the append-only file. What is refused, missing or out of order is a
    finding of `report`. Raises StoreUnavailable."""
    in_file = list(file)
    purges = SignedPurges(verifier, report)
    purges.add((text for text in in_file if kind_of(text) == PURGED), "heads file")
    purges.add(await trail.purges(), "database")
    heads = SignedHeads(verifier, report, purges)
    # each signature takes 0.1 ms, and each process signs one a minute
    await asyncio.to_thread(_check_heads, heads, in_file, await trail.heads(), report)
    return Signatures(purges, heads)


def _check_heads(
    heads: SignedHeads, in_file: Iterable[str], in_database: Iterable[str], report: Report
) -> None:
    elsewhere = heads.add((text for text in in_file if kind_of(text) != PURGED), "heads file")
    for place in sorted(elsewhere - heads.add(in_database, "database")):
        report.found(_name(*place), "deleted from the database")
    heads.check_chain()


def _name(segment: str, number: int) -> str:
    return f"audit segment {segment}, head {number}"


CLOCK_STEPS = timedelta(hours=1)
"""A process's clock may have been set back between two heads by as much."""


async def blocks_between(
    trail: ReadableTrail,
    signed: Signatures,
    since: datetime,
    until: datetime | None,
    report: Report,
) -> AsyncIterator[Block]:
    """At least all with a record of the time from `since` to before `until` (None: today), by
    place. What was altered goes to `report`. Raises StoreUnavailable.

    Evidence and exports claim to be whole. So no index chooses for them: what an index is made of,
    no hash covers.
    """
    for segment in sorted({*await trail.segments(), *signed.heads.vouched}):
        begin, end = _part(segment, signed, since, until)
        vouched = {tail for tail in signed.vouched(segment) if end is None or tail.sequence <= end}
        check = SegmentCheck(segment, begin, vouched, report)
        async for block in trail.segment(segment, begin.sequence + 1):
            if end is not None and block.first > end:
                break
            await in_turn(check.take, block)
            yield block
        check.end()


def _part(
    segment: str, signed: Signatures, since: datetime, until: datetime | None
) -> tuple[Tail, int | None]:
    """Where the segment ended safely before `since`, and the record with which it was safely
    beyond `until`; by its own heads, whose times are of its own clock."""
    begin, end = signed.purged(segment).tail, None
    for head in signed.heads.of(segment):
        if head.at < iso(since - CLOCK_STEPS):
            begin = max(begin, head.tail, key=lambda tail: tail.sequence)
        if until is not None and head.at > iso(until + CLOCK_STEPS):
            end = head.tail.sequence if end is None else min(end, head.tail.sequence)
    return begin, end
