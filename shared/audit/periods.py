"""The blocks of a period of time, read whole and compared with what is signed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from shared.audit.block_check import Report
from shared.audit.chain import Block, Tail
from shared.audit.head_check import SegmentCheck, Signatures
from shared.audit.port import ReadableTrail
from shared.audit.turns import in_turn
from shared.clock import iso

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
        begin, end = await asyncio.to_thread(_part, segment, signed, since, until)
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
    before = iso(since - CLOCK_STEPS)
    beyond = None if until is None else iso(until + CLOCK_STEPS)
    for head in signed.heads.of(segment):
        if head.at < before:
            begin = max(begin, head.tail, key=lambda tail: tail.sequence)
        if beyond is not None and head.at > beyond:
            end = head.tail.sequence if end is None else min(end, head.tail.sequence)
    return begin, end
