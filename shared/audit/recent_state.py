"""Whether the audit trail is being signed, for a process that answers others meanwhile.

It looks at signed heads and at where segments end, never through their blocks, and at no file: what
else was altered or deleted, `teddy audit verify` finds.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.audit.block_check import Finding, Report
from shared.audit.chain import Tail, records_of
from shared.audit.head_check import SignedHeads
from shared.audit.port import WatchedTrail
from shared.audit.recent_heads import walk_back
from shared.audit.spans import SignedPurges
from shared.audit.writer import GAP, unrecorded_in
from shared.clock import iso, parse_iso
from shared.signing import StatementVerifier

MOST_HEADS = 20_000
"""What 100 processes sign in three hours."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Records that no head covers; `since`: when the oldest of them was made, as far as known."""

    number: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class TrailState:
    """`head_at`: when the newest head was signed. `unrecorded`: how many requests were refused
    since they could not be recorded. `findings`: what heads and ends of segments do not fit."""

    head_at: datetime | None
    unsigned: Unsigned
    unrecorded: int
    findings: tuple[Finding, ...]


async def recent_state(
    trail: WatchedTrail, verifier: StatementVerifier, since: datetime
) -> TrailState:
    """Of the newest segments: heads and refused requests `since`, and records that are unsigned
    now. Raises TooManyHeads, StoreUnavailable."""
    report = Report()
    purges = SignedPurges(verifier, report)
    await asyncio.to_thread(purges.add, await trail.purges(), "database")
    heads = SignedHeads(verifier, report, purges)
    segments = await trail.recent_segments()
    for segment in segments:
        await walk_back(trail, segment, heads, iso(since), MOST_HEADS)
    await asyncio.to_thread(heads.check_chain, iso(since))
    # afterwards: what a head covers was there before
    signed = {name: _signed_end(heads, purges, name) for name in segments}
    unsigned = [one async for one in _unsigned(trail, signed, purges, report)]
    times = [one.since for one in unsigned if one.since is not None]
    return TrailState(
        head_at=max((parse_iso(head.at) for head, _ in heads), default=None),
        unsigned=Unsigned(sum(one.number for one in unsigned), min(times, default=None)),
        unrecorded=await _unrecorded(trail, since),
        findings=tuple(report.findings),
    )


async def _unsigned(
    trail: WatchedTrail, signed_ends: Mapping[str, Tail], purges: SignedPurges, report: Report
) -> AsyncIterator[Unsigned]:
    for segment, signed in signed_ends.items():
        end = max(await trail.end_of(segment), purges.of(segment).tail, key=_sequence)
        if signed.sequence > end.sequence:
            gone = f"truncated: records {end.sequence + 1} to {signed.sequence} are missing"
            report.found(f"audit segment {segment}", gone)
        elif signed.sequence == end.sequence and signed.hash != end.hash:
            report.found(f"audit segment {segment}", "rewritten: its last head has another hash")
        elif signed.sequence < end.sequence:
            since = await trail.time_of(segment, signed.sequence + 1)
            yield Unsigned(end.sequence - signed.sequence, since)


def _signed_end(heads: SignedHeads, purges: SignedPurges, segment: str) -> Tail:
    """By its own heads, by those of others that saw it, and by the statement of its purge."""
    tails: set[Tail] = {purges.of(segment).tail, *heads.vouched.get(segment, ())}
    return max(tails, key=_sequence)


def _sequence(tail: Tail) -> int:
    return tail.sequence


async def _unrecorded(trail: WatchedTrail, since: datetime) -> int:
    number = 0
    async for block in trail.with_operation(GAP, since):
        number += sum(map(unrecorded_in, records_of(block)))
    return number
