"""The whole audit trail verified, with the commits that it names."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.audit.block_check import Report
from shared.audit.head_check import SegmentCheck, Signatures, Unsigned, read_signatures
from shared.audit.record import Record
from shared.audit.store import AuditStore
from shared.clock import Clock, iso
from shared.event_store.envelope import ChainBroken, Commit, StreamPosition, verify_chain
from shared.event_store.port import EventStore
from shared.signing import StatementVerifier


class Anchors:
    """Where each child's stream ended at its newest accepted command. The hash covers all before,
    so the newest is enough: about 250 bytes of memory a child."""

    def __init__(self) -> None:
        self._by_child: dict[str, StreamPosition] = {}
        self._contradicted: set[tuple[str, int]] = set()

    def add(self, child_id: str, version: int, commit_hash: str) -> None:
        known = self._by_child.get(child_id)
        if known is None or known.version < version:
            self._by_child[child_id] = StreamPosition(version, commit_hash)
        elif known.version == version and known.hash != commit_hash:
            self._contradicted.add((child_id, version))

    def add_all(self, others: "Anchors") -> None:
        for child_id, anchor in others.left():
            self.add(child_id, anchor.version, anchor.hash)

    def contradicted(self) -> list[tuple[str, int]]:
        """Child and version for which the trail names two commits: one record was forged."""
        return sorted(self._contradicted)

    def take(self, child_id: str) -> StreamPosition | None:
        return self._by_child.pop(child_id, None)

    def left(self) -> list[tuple[str, StreamPosition]]:
        return sorted(self._by_child.items())


async def check_commits(commits: EventStore, anchors: Anchors, report: Report) -> None:
    for child_id, version in anchors.contradicted():
        what = "two audit records name different commits"
        report.found(f"child {child_id}, version {version}", what)
    child: _Child | None = None
    async for commit in commits.scan():
        if child is None or child.child_id != commit.child_id:
            if child is not None:
                child.end(report)
            child = _Child(commit.child_id, anchors.take(commit.child_id))
            report.count("children")
        child.take(commit, report)
    if child is not None:
        child.end(report)
    for child_id, anchor in anchors.left():
        what = f"deleted: all commits up to version {anchor.version} are missing"
        report.found(f"child {child_id}", what)


class _Child:
    """One child's commits, of which only the newest is in memory. Names every break, not only the
    first: each commit is checked after the one before it."""

    def __init__(self, child_id: str, anchor: StreamPosition | None) -> None:
        self.child_id = child_id
        self._anchor = anchor
        self._position = StreamPosition()
        self._has_the_anchored = False

    def take(self, commit: Commit, report: Report) -> None:
        report.count("commits")
        try:
            verify_chain([commit], self._position)
        except ChainBroken as broken:
            missing = commit.first_version - self._position.version - 1
            if missing > 0:
                gone = f"deleted: versions {self._position.version + 1} to "
                report.found(f"child {self.child_id}", f"{gone}{commit.first_version - 1}")
            else:
                report.found(f"child {self.child_id}, version {broken.version}", broken.reason)
        self._position = commit.position
        self._has_the_anchored = self._has_the_anchored or commit.position == self._anchor

    def end(self, report: Report) -> None:
        if self._anchor is None:
            report.count("children without an audit record of their commits")
            return
        where, version = f"child {self.child_id}", self._anchor.version
        if self._position.version < version:
            what = f"truncated: versions {self._position.version + 1} to {version} are missing"
            report.found(where, what)
        elif not self._has_the_anchored:
            what = f"rewritten: version {version} differs from the recorded commit"
            report.found(where, what)


INTERVALS = 2
"""A head may come late by one: who is to sign may just wait for the store."""


@dataclass(frozen=True, slots=True)
class HeadsOnTime:
    """How old a record may be that no head covers: an attacker who kept heads from being
    signed could have changed or added what is older. `seconds`: how often heads are signed."""

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
            to.found(where, f"not signed, and the newest is in the future: {unsigned.until}")
        else:
            number = unsigned.last - unsigned.first + 1
            to.notes.append(f"audit segment {segment}: the last {number} records are not signed")


async def verify(
    trail: AuditStore,
    commits: EventStore,
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
        report.notes.append(f"audit segment {segment}: still open, or its process was killed")
    return report


async def _check_segment(
    trail: AuditStore, segment: str, signed: Signatures, anchors: Anchors, report: Report
) -> Unsigned | None:
    begin = signed.purged(segment).tail  # blocks before it are about to go: its statement stands
    check = SegmentCheck(segment, begin, signed.vouched(segment), report)
    async for block in trail.segment(segment, begin.sequence + 1):
        for record in check.take(block):
            take_anchor(anchors, record)
    return check.end()


def take_anchor(anchors: Anchors, record: Record) -> None:
    """Add the anchor of `record`, if it has one."""
    anchor = record.get("anchor")
    if anchor is not None and record["children"]:
        anchors.add(record["children"][0], anchor["version"], anchor["hash"])
