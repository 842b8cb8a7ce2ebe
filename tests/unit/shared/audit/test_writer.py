"""A trail's writer: order, durability, and what happens while its store is away."""

import asyncio
from dataclasses import dataclass, field

import orjson
import pytest

from shared.audit.chain import Block, Tail, expected_hash
from shared.audit.record import AuditRecord, AuditUnavailable, children_of
from shared.audit.writer import GAP, Bounds, ChainedTrail
from shared.event_store.port import StoreUnavailable
from tests.support.child_facts import ADA, NOON
from tests.support.waiting import eventually


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Blocks:
    kept: list[Block] = field(default_factory=list)
    away: bool = False
    hanging: asyncio.Event = field(default_factory=_set)

    async def append(self, block: Block) -> None:
        await self.hanging.wait()
        if self.away:
            raise StoreUnavailable("away")
        self.kept.append(block)


def record(operation: str = "GetChildProfile") -> AuditRecord:
    return AuditRecord(
        at=NOON, subject="p-1", role="parent", operation=operation, outcome="answered"
    )


def trail(
    blocks: Blocks, waiting: int = 100, seconds: float = 5.0, is_strict: bool = True
) -> ChainedTrail:
    return ChainedTrail("query-1", blocks, lambda: NOON, Bounds(waiting, seconds, is_strict))


async def test_records_that_come_together_share_a_block_and_blocks_are_chained():
    # given
    blocks = Blocks()
    chained = trail(blocks)
    # when
    await chained.record(record())
    await asyncio.gather(*(chained.record(record()) for _ in range(30)))
    # then
    assert [block.last for block in blocks.kept][-1] == 31
    assert len(blocks.kept) < 10
    tail = Tail()
    for block in blocks.kept:
        assert (block.first, block.previous_hash) == (tail.sequence + 1, tail.hash)
        assert block.hash == expected_hash(block)
        tail = block.tail
    assert chained.tail == tail


async def test_what_was_noted_is_kept_when_the_store_comes_back_and_what_was_missed_is_reported():
    # given
    blocks = Blocks(away=True)
    chained = trail(blocks, waiting=3, seconds=0.05)
    # when
    for operation in ("A", "B", "C"):
        chained.note(record(operation))
    with pytest.raises(AuditUnavailable):
        chained.note(record("D"))
    blocks.away = False
    # then
    await eventually(lambda: _done(chained), 5)
    lines = [line for block in blocks.kept for line in block.lines]
    assert [orjson.loads(line)["operation"] for line in lines] == ["A", "B", "C", GAP]
    assert GAP in lines[-1]
    assert "1 refused because they could not be recorded" in lines[-1]


async def test_a_read_is_refused_at_once_while_the_store_is_known_to_be_away():
    # given
    blocks = Blocks(away=True)
    chained = trail(blocks, seconds=0.02)
    with pytest.raises(AuditUnavailable):
        await chained.record(record())
    # when, then
    with pytest.raises(AuditUnavailable, match="is unavailable"):
        await chained.record(record())
    assert chained.waiting == 1
    blocks.away = False
    await eventually(lambda: _done(chained), 5)
    await chained.record(record())


async def test_reads_that_do_not_wait_are_refused_once_a_record_has_waited_too_long():
    # given: a store that hangs
    blocks = Blocks(hanging=asyncio.Event())
    chained = trail(blocks, seconds=0.05, is_strict=False)
    await chained.record(record("shown before it is durable"))
    # when
    await asyncio.sleep(0.1)  # the bound itself
    # then
    with pytest.raises(AuditUnavailable):
        await chained.record(record("refused"))
    blocks.hanging.set()
    await eventually(lambda: _done(chained), 5)
    lines = [line for block in blocks.kept for line in block.lines]
    assert ["shown before" in line or GAP in line for line in lines] == [True, True]


async def test_reads_slow_down_to_the_pace_of_the_store_and_are_not_refused():
    # given: blocks of two records
    blocks = Blocks()
    chained = ChainedTrail("query-1", blocks, lambda: NOON, Bounds(waiting=4, seconds=5, block=2))
    # when
    for _ in range(20):
        await chained.record(record())
    await chained.close()
    # then
    assert chained.tail.sequence == 20
    assert chained.missed == 0


async def test_pages_of_many_children_do_not_make_a_block_too_large_for_the_server():
    # given
    blocks = Blocks()
    chained = trail(blocks, waiting=1_000)
    page = record("SearchChildren")._replace(children=(ADA,) * 200)
    # when
    for _ in range(300):
        chained.note(page)
    await chained.close()
    # then
    assert [block.last for block in blocks.kept] == [100, 200, 300]


async def test_closing_writes_what_waits():
    blocks = Blocks()
    chained = trail(blocks)
    for _ in range(5):
        chained.note(record())
    await chained.close()
    assert chained.tail.sequence == 5


def test_only_child_ids_are_taken_for_children():
    assert children_of(["Mia", ADA, ADA, "../x"]) == (ADA,)


async def _done(chained: ChainedTrail) -> bool:
    return chained.waiting == 0
