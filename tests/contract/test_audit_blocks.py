"""The blocks of an audit trail as those read them who look for a child."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from shared.audit.chain import Block, Tail, place_of, seal_block
from shared.audit.port import BlockPlace
from shared.audit.record import AuditRecord
from shared.audit.store import OPEN_SEGMENTS, AuditStore, ensure_audit_indexes
from shared.mongo import Mongo
from tests.contract.conftest import Place
from tests.fakes.audit_blocks import MemoryAuditBlocks

LENA, OTTO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def trail(place: Place | None) -> AsyncIterator[MemoryAuditBlocks | AuditStore]:
    if place is None:
        yield MemoryAuditBlocks()
        return
    mongo = Mongo(place.url, place.driver)
    database = mongo.database(place.database)
    await ensure_audit_indexes(database)
    yield AuditStore(database)
    await mongo.close()


async def write(
    trail: MemoryAuditBlocks | AuditStore, segment: str, *children: Sequence[str]
) -> list[Block]:
    """Blocks of one record each, a second apart, about these children."""
    tail, blocks = Tail(), []
    for number, about in enumerate(children):
        at = NOON + timedelta(seconds=number)
        record = AuditRecord(at, "officer-1", "safety_officer", "X", "answered", children=(*about,))
        blocks.append(seal_block(segment, tail, [record]))
        await trail.append(blocks[-1])
        tail = blocks[-1].tail
    return blocks


def places(blocks: Sequence[Block]) -> list[str]:
    return [place_of(block.segment, block.first) for block in blocks]


def place_in_list(block: Block) -> BlockPlace:
    return BlockPlace(block.beside["since"], place_of(block.segment, block.first))


async def test_a_childs_blocks_come_newest_first_and_those_of_one_moment_by_their_place(
    trail: MemoryAuditBlocks | AuditStore,
):
    # given two processes at the same times
    await write(trail, "query-1", [LENA], [OTTO], [LENA, OTTO])
    await write(trail, "query-2", [LENA], [LENA], [])
    # when
    found = await trail.newest_about(LENA, None, 10)
    # then
    assert places(found) == [
        place_of("query-1", 3),
        place_of("query-2", 2),
        place_of("query-2", 1),
        place_of("query-1", 1),
    ]
    assert await trail.newest_about("33333333-3333-4333-8333-333333333333", None, 10) == []


async def test_a_list_goes_on_at_a_block_which_is_included(trail: MemoryAuditBlocks | AuditStore):
    await write(trail, "query-1", [LENA], [OTTO], [LENA])
    await write(trail, "query-2", [LENA], [LENA], [LENA])
    whole = await trail.newest_about(LENA, None, 10)
    assert len(whole) == 5
    for number, block in enumerate(whole):
        rest = await trail.newest_about(LENA, place_in_list(block), 2)
        assert places(rest) == places(whole[number : number + 2])


async def test_a_block_is_read_as_it_was_written(trail: MemoryAuditBlocks | AuditStore):
    written = await write(trail, "query-1", [LENA, OTTO])
    assert await trail.newest_about(OTTO, None, 1) == written


async def test_where_segments_end_and_when_their_blocks_began(
    trail: MemoryAuditBlocks | AuditStore,
):
    # given
    one = await write(trail, "query-1", [], [], [])
    (other,) = await write(trail, "query-2", [LENA])
    # when / then
    assert sorted(await trail.recent_segments()) == ["query-1", "query-2"]
    assert await trail.end_of("query-1") == one[-1].tail
    assert await trail.end_of("query-2") == other.tail
    assert await trail.end_of("query") == Tail()
    assert await trail.time_of("query-1", 2) == NOON + timedelta(seconds=1)
    assert await trail.time_of("query-1", 4) is None


async def test_blocks_are_found_by_what_was_asked_for_lately(
    trail: MemoryAuditBlocks | AuditStore,
):
    _, second = await write(trail, "query-1", [], [])
    since = second.beside["since"]
    assert [block async for block in trail.with_operation("X", since)] == [second]
    assert [block async for block in trail.with_operation("Y", since)] == []


async def test_of_many_segments_the_open_ones_and_those_that_ended_last_are_looked_at(
    mongo_url: str, fresh_database: str
):
    # given
    mongo = Mongo(mongo_url, "pymongo")
    database = mongo.database(fresh_database)
    store = AuditStore(database)
    names = [f"query-{number:03}" for number in range(OPEN_SEGMENTS + 10)]
    for number, name in enumerate(names):
        await write(store, name, [])
        await store.end(name, NOON + timedelta(seconds=number))
    await write(store, "open", [])
    # when
    found = await store.recent_segments()
    await mongo.close()
    # then
    assert sorted(found) == ["open", *names[10:]]
