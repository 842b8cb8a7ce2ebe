"""One segment, block by block: its chain, and whether it holds what signed heads say of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.audit.block_check import check_block
from shared.audit.chain import Block, Tail, read_lines
from shared.audit.findings import Report
from shared.audit.record import Record


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Records at a segment's end that no head covers; the oldest's and the newest's time."""

    first: int
    last: int
    since: str
    until: str


class SegmentCheck:
    """From `start` on, which is proved already. What is wrong goes to `report`."""

    def __init__(self, segment: str, start: Tail, vouched: Iterable[Tail], report: Report) -> None:
        self.tail = start
        self.signed = start
        self._segment = segment
        self._report = report
        self._times: list[str] = []
        self._promised: dict[int, set[str]] = {}
        for one in vouched:
            if one.sequence > start.sequence:
                self._promised.setdefault(one.sequence, set()).add(one.hash)

    def take(self, block: Block) -> list[Record]:
        """The next block; its records."""
        read = read_lines(block)
        self._report.findings += check_block(block, read, self.tail)
        self._report.count("audit records", len(block.lines))
        records = [record for record in read if record is not None]
        self.tail = block.tail
        times = [record["at"] for record in records]
        # of all that is not signed only the ends count: no list grows with the trail
        self._times = [end(self._times + times) for end in (min, max)] if times else self._times
        hashes = self._promised.pop(self.tail.sequence, None)
        if hashes is not None:
            self.signed, self._times = self.tail, []
            if hashes != {self.tail.hash}:
                where = f"audit segment {self._segment}, records up to {self.tail.sequence}"
                self._report.found(where, "rewritten: a signed head has another hash for them")
        return records

    def end(self) -> Unsigned | None:
        """No block follows: what heads promise beyond is gone. What no head covers."""
        where = f"audit segment {self._segment}"
        self._report.count("audit segments")
        for sequence in sorted(self._promised):
            if sequence > self.tail.sequence:
                gone = f"truncated: records {self.tail.sequence + 1} to {sequence} are gone"
                self._report.found(where, gone)
                break
            what = f"rewritten: no block ends with record {sequence}, which was signed"
            self._report.found(where, what)
        if self.tail.sequence <= self.signed.sequence or not self._times:
            return None
        return Unsigned(self.signed.sequence + 1, self.tail.sequence, *self._times)
