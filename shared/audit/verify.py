"""Walks the whole trail, and the event store by what the trail says of it."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

from shared.audit.block_check import check_block, records_of
from shared.audit.chain import Block, Tail
from shared.audit.commit_check import Anchors, check_commits
from shared.audit.findings import Report
from shared.audit.head_check import SignedHeads
from shared.envelope import Commit
from shared.proofs.statements import StatementVerifier


class Trail(Protocol):
    async def heads(self) -> list[str]: ...
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
    heads = SignedHeads(verifier, report)
    elsewhere = heads.add(heads_elsewhere or (), "heads file")
    in_database = heads.add(await trail.heads(), "database")
    for segment, number in sorted(elsewhere - in_database):
        report.found(f"audit segment {segment}, head {number}", "deleted from the database")
    heads.check_chain()
    anchors = Anchors()
    for segment in sorted({*await trail.segments(), *heads.vouched}):
        await _check_segment(trail, segment, heads.vouched.get(segment, set()), anchors, report)
    await check_commits(commits, anchors, report)
    for segment in await trail.open_segments():
        report.notes.append(f"audit segment {segment}: still written, or its process was killed")
    return report


async def _check_segment(
    trail: Trail, segment: str, vouched: set[Tail], anchors: Anchors, report: Report
) -> None:
    tail, signed = Tail(), Tail()
    promised: dict[int, set[str]] = {}
    for one in vouched:
        promised.setdefault(one.sequence, set()).add(one.hash)
    async for block in trail.segment(segment):
        findings = check_block(block, tail)
        report.findings += findings
        for record in records_of(block):
            _anchor(anchors, record)
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


def _anchor(anchors: Anchors, record: dict[str, Any]) -> None:
    anchor = record.get("anchor")
    if anchor is not None and record.get("children"):
        anchors.add(record["children"][0], anchor["version"], anchor["hash"])
