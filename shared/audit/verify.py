"""Walks the whole trail, and the event store by what the trail says of it."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.audit.chain import Block
from shared.audit.commit_check import Anchors, check_commits
from shared.audit.findings import Report
from shared.audit.head_check import Signatures, read_signatures
from shared.audit.record import Record
from shared.audit.segment_check import SegmentCheck, Unsigned
from shared.clock import Clock, iso
from shared.envelope import Commit
from shared.proofs.statements import StatementVerifier

INTERVALS = 2
"""A head may come late by one: who is to sign may just wait for the store."""


class Trail(Protocol):
    async def heads(self) -> list[str]: ...
    async def purges(self) -> list[str]: ...
    async def segments(self) -> list[str]: ...
    async def open_segments(self) -> list[str]: ...
    def segment(self, segment: str, first: int = 0) -> AsyncIterator[Block]: ...


class Commits(Protocol):
    def scan(self, after_child: str | None = None) -> AsyncIterator[Commit]: ...


@dataclass(frozen=True, slots=True)
class HeadsOnTime:
    """How old a record may be that no head covers: what is older could have been changed, or put
    there, by whoever kept the heads from being signed. `seconds`: how often heads are signed."""

    clock: Clock
    seconds: float

    @property
    def patience(self) -> timedelta:
        return timedelta(seconds=INTERVALS * self.seconds)

    def judge(self, segment: str, unsigned: Unsigned, heads_read_at: datetime, to: Report) -> None:
        """A note, or a finding; heads that were signed since `heads_read_at` are not known."""
        records = f"records {unsigned.first} to {unsigned.last}"
        where = f"audit segment {segment}, {records}"
        if unsigned.since < iso(heads_read_at - self.patience):
            what = f"not signed, the oldest since {unsigned.since}"
            to.found(where, f"{what}: heads are signed every {self.seconds:g} s")
        elif unsigned.until > iso(self.clock() + self.patience):
            to.found(where, f"not signed, and the newest is of a time to come: {unsigned.until}")
        else:
            number = unsigned.last - unsigned.first + 1
            to.notes.append(f"audit segment {segment}: the last {number} records are not signed")


async def verify(
    trail: Trail,
    commits: Commits,
    verifier: StatementVerifier,
    heads_elsewhere: Iterable[str] | None,
    on_time: HeadsOnTime,
) -> Report:
    """`heads_elsewhere`: those of the append-only file. Also while the system works: what is
    looked at later may only hold more. Raises StoreUnavailable."""
    report, anchors = Report(), Anchors()
    read_at = on_time.clock()
    signed = await read_signatures(trail, verifier, heads_elsewhere or (), report)
    signed.purges.report()
    for segment in sorted({*await trail.segments(), *signed.heads.vouched}):
        unsigned = await _check_segment(trail, segment, signed, anchors, report)
        if unsigned is not None:
            on_time.judge(segment, unsigned, read_at, report)
    await check_commits(commits, anchors, report)
    for segment in await trail.open_segments():
        report.notes.append(f"audit segment {segment}: still written, or its process was killed")
    return report


async def _check_segment(
    trail: Trail, segment: str, signed: Signatures, anchors: Anchors, report: Report
) -> Unsigned | None:
    begin = signed.purged(segment).tail  # blocks before it are about to go: its statement stands
    check = SegmentCheck(segment, begin, signed.vouched(segment), report)
    async for block in trail.segment(segment, begin.sequence + 1):
        for record in check.take(block):
            take_anchor(anchors, record)
    return check.end()


def take_anchor(anchors: Anchors, record: Record) -> None:
    """What `record` says of a child's stream, if it says anything."""
    anchor = record.get("anchor")
    if anchor is not None and record["children"]:
        anchors.add(record["children"][0], anchor["version"], anchor["hash"])
