"""Who asked for what about a child, page by page."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.audit.block_check import Report
from shared.audit.chain import Block, place_of
from shared.audit.port import BlockPlace, ReadableTrail
from shared.audit.record import Record
from shared.audit.records_of_children import Wanted, wanted_of
from shared.audit.turns import in_turn

BLOCKS_AT_ONCE = 20
MOST_LINES = 10_000
"""Read for one page: about 0.2 s. Where a child shares its blocks with many others, or an index was
altered, a page has fewer records than it may have."""


class RecordPlace(NamedTuple):
    """A record's place: its block's, and its sequence."""

    since: datetime
    block: str
    sequence: int


class Looks(NamedTuple):
    """`reached`: the place of the last record that was read, None where no more follow."""

    records: Sequence[Record]
    reached: RecordPlace | None


async def looks_at(
    trail: ReadableTrail, child_id: str, after: RecordPlace | None, limit: int, report: Report
) -> Looks:
    """At most `limit` records about the child that follow `after`: the newest block first, and of a
    block the newest record. What was altered in the blocks that were read goes to `report`. Raises
    StoreUnavailable."""
    found: list[Record] = []
    reached, lines = after, 0
    async for place, block in _blocks(trail, child_id, after):
        if len(found) == limit or lines >= MOST_LINES:
            return Looks(found, reached)
        lines += len(block.lines) + 1
        records = await in_turn(wanted_of, block, Wanted(child_id=child_id), report)
        for record in _following(place, records, after):
            if len(found) == limit:
                return Looks(found, reached)
            found.append(record)
            reached = RecordPlace(*place, record["sequence"])
        reached = RecordPlace(*place, block.first)
    return Looks(found, None)


async def _blocks(
    trail: ReadableTrail, child_id: str, after: RecordPlace | None
) -> AsyncIterator[tuple[BlockPlace, Block]]:
    up_to = None if after is None else BlockPlace(after.since, after.block)
    last: BlockPlace | None = None
    while True:
        blocks = await trail.newest_about(child_id, up_to, BLOCKS_AT_ONCE)
        for block in blocks:
            place = BlockPlace(block.beside["since"], place_of(block.segment, block.first))
            is_done = after is not None and after == (*place, block.first)
            if place != last and not is_done:
                yield place, block
            up_to = place
        if len(blocks) < BLOCKS_AT_ONCE:
            return
        last = up_to


def _following(
    place: BlockPlace, records: Sequence[Record], after: RecordPlace | None
) -> Iterator[Record]:
    """Of the block's records those behind `after`, the newest first."""
    is_begun = after is not None and place == (after.since, after.block)
    for record in reversed(records):
        if not is_begun or after is None or record["sequence"] < after.sequence:
            yield record
