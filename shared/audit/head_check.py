"""Signed heads and segments of the audit trail, compared with its blocks."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.audit.block_check import Report, check_block
from shared.audit.chain import Block, Tail, read_lines
from shared.audit.heads import Head, digest_of_head, open_head, read_head
from shared.audit.port import ReadableTrail
from shared.audit.record import Record
from shared.audit.spans import KIND as PURGED
from shared.audit.spans import Purged, SignedPurges
from shared.signing import StatementRefused, StatementVerifier, kind_of

Place = tuple[str, int]
"""Segment and number of a head."""


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
        self._places: dict[str, set[Place]] = {}
        self._place_of: dict[str, Place] = {}
        self._begins: dict[str, tuple[int, str]] = {}
        self._chained: dict[str, str] = {}
        self.vouched: dict[str, set[Tail]] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def __iter__(self) -> Iterator[tuple[Head, str]]:
        """Each head and its statement, by segment and in order."""
        return iter([self._heads[place] for place in sorted(self._heads)])

    def of(self, segment: str) -> list[Head]:
        """The segment's own, in order."""
        return [self._heads[place][0] for place in sorted(self._places.get(segment, ()))]

    def places(self) -> set[Place]:
        return set(self._heads)

    def may_vouch(self, place: Place | None) -> bool:
        """Not older than the head with which the segment's chain begins; None: nobody knows."""
        return place is None or place[1] > self._begins.get(place[0], (0, ""))[0]

    def add(self, numbered: Iterable[tuple[int, str]], source: str) -> set[Place]:
        """Add the heads of `source`, each with its number there; their segments and numbers.
        Refused ones are findings."""
        places: set[Place] = set()
        for number, text in numbered:
            place = self._place_of.get(text)
            if place is None:
                head = self._opened(text, f"{source}, head {number}")
                place = None if head is None else self._keep(head, text, source)
            if place is not None:
                places.add(place)
        return places

    def add_back(self, segment: str, stored: Iterable[tuple[int, str]], until: str) -> bool:
        """Add heads of the database, each with the number of its place, from the newest backwards;
        whether one older than `until` is reached: the segment's chain begins with it. A head to
        which a signed one is chained needs no look at its signature."""
        for number, text in stored:
            where = name_of(segment, number)
            is_chained = digest_of_head(text) == self._chained.get(segment)
            head = read_head(text) if is_chained else self._opened(text, where)
            if head is None:
                continue
            if (head.segment, head.number) != (segment, number):
                # it ends nothing: an old one, put in a new one's place, would hide all between
                self._report.found(where, "another head stands in its place")
                continue
            if self._keep(head, text, "database") is None:
                return True  # what is older was purged
            self._chained[segment] = head.previous
            if head.at < until:
                self._begins[segment] = (number - 1, head.previous)
                return True
        return False

    def _opened(self, text: str, where: str) -> Head | None:
        try:
            return open_head(self._verifier, text)
        except (StatementRefused, KeyError, TypeError, ValueError) as error:
            self._report.found(where, str(error))
            return None

    def _keep(self, head: Head, text: str, source: str) -> Place | None:
        """None: it was purged."""
        if head.number <= self._purges.of(head.segment).heads:
            return None
        place = (head.segment, head.number)
        self._place_of[text] = place
        if self._heads.setdefault(place, (head, text))[1] != text:
            self._report.found(
                f"{source}, {name_of(*place)}", "differs from the one kept elsewhere"
            )
        self._places.setdefault(head.segment, set()).add(place)
        for segment, tail in {head.segment: head.tail, **head.seen}.items():
            self.vouched.setdefault(segment, set()).add(tail)
        return place

    def check_chain(self, until: str = "") -> None:
        """Each segment's heads are numbered without a gap and chained: behind those purged, or from
        one on that is older than `until`."""
        previous: dict[str, tuple[int, str]] = {}
        for head, text in self:
            purged = self._purges.of(head.segment)
            begin = self._begins.get(head.segment, (purged.heads, purged.head_digest))
            if head.segment not in previous and head.at < until:
                begin = (head.number - 1, head.previous)
            before, digest = previous.get(head.segment, begin)
            if head.number != before + 1:
                self._report.found(f"audit segment {head.segment}", f"head {before + 1} is missing")
            elif head.previous != digest:
                self._report.found(
                    name_of(head.segment, head.number),
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
    texts = (text for text in in_file if kind_of(text) != PURGED)
    elsewhere = heads.add(enumerate(texts, 1), "heads file")
    for place in sorted(elsewhere - heads.add(enumerate(in_database, 1), "database")):
        report.found(name_of(*place), "deleted from the database")
    heads.check_chain()


def name_of(segment: str, number: int) -> str:
    return f"audit segment {segment}, head {number}"
