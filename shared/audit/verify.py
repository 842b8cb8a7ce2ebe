"""Walks the whole trail, and the event store by what the trail says of it."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

from shared.audit.block_check import check_block, records_of
from shared.audit.chain import Block, Tail
from shared.audit.commit_check import Anchors, check_commits
from shared.audit.findings import Report
from shared.audit.head_check import SignedHeads
from shared.audit.purged import KIND as PURGED
from shared.audit.purged import Purged, SignedPurges
from shared.envelope import Commit
from shared.proofs.statements import StatementVerifier, kind_of


class Trail(Protocol):
    async def heads(self) -> list[str]: ...
    async def purges(self) -> list[str]: ...
    async def segments(self) -> list[str]: ...
    async def open_segments(self) -> list[str]: ...
    def segment(self, segment: str, first: int = 0) -> AsyncIterator[Block]: ...


class Commits(Protocol):
    def scan(self, after_child: str | None = None) -> AsyncIterator[Commit]: ...


async def verify(
    trail: Trail,
    commits: Commits,
    verifier: StatementVerifier,
    heads_elsewhere: Iterable[str] | None = None,
) -> Report:
    """`heads_elsewhere`: those of the append-only file. Also while the system works: what is
    looked at later may only hold more. Raises StoreUnavailable."""
    report = Report()
    in_file = list(heads_elsewhere or ())
    purges = SignedPurges(verifier, report)
    purges.add((text for text in in_file if kind_of(text) == PURGED), "heads file")
    purges.add(await trail.purges(), "database")
    purges.report()
    heads = SignedHeads(verifier, report, purges)
    elsewhere = heads.add((text for text in in_file if kind_of(text) != PURGED), "heads file")
    in_database = heads.add(await trail.heads(), "database")
    for segment, number in sorted(elsewhere - in_database):
        report.found(f"audit segment {segment}, head {number}", "deleted from the database")
    heads.check_chain()
    anchors = Anchors()
    for segment in sorted({*await trail.segments(), *heads.vouched}):
        vouched = heads.vouched.get(segment, set())
        await _check_segment(trail, purges.of(segment), vouched, anchors, report)
    await check_commits(commits, anchors, report)
    for segment in await trail.open_segments():
        report.notes.append(f"audit segment {segment}: still written, or its process was killed")
    return report


async def _check_segment(
    trail: Trail, purged: Purged, vouched: set[Tail], anchors: Anchors, report: Report
) -> None:
    segment, tail, signed = purged.segment, purged.tail, purged.tail
    promised: dict[int, set[str]] = {}
    for one in vouched:
        if one.sequence > purged.tail.sequence:
            promised.setdefault(one.sequence, set()).add(one.hash)
    async for block in trail.segment(segment):
        if block.last <= purged.tail.sequence:
            continue  # about to go: the statement stands already
        findings = check_block(block, tail)
        report.findings += findings
        for record in records_of(block):
            take_anchor(anchors, record)
        report.count("audit records", len(block.lines))
        tail = block.tail
        hashes = promised.pop(tail.sequence, None)
        if hashes is not None:
            signed = tail
            if hashes != {tail.hash}:
                where = f"audit segment {segment}, records up to {tail.sequence}"
                report.found(where, "rewritten: a signed head has another hash for them")
    report.count("audit segments")
    for sequence in sorted(promised):
        where = f"audit segment {segment}"
        if sequence > tail.sequence:
            report.found(where, f"truncated: records {tail.sequence + 1} to {sequence} are gone")
            break
        report.found(where, f"rewritten: no block ends with record {sequence}, which was signed")
    if tail.sequence > signed.sequence:
        unsigned = tail.sequence - signed.sequence
        report.notes.append(f"audit segment {segment}: the last {unsigned} records are not signed")


def take_anchor(anchors: Anchors, record: dict[str, Any]) -> None:
    """What `record` says of a child's stream, if it says anything."""
    anchor = record.get("anchor")
    if anchor is not None and record.get("children"):
        anchors.add(record["children"][0], anchor["version"], anchor["hash"])
