"""Records that are fetched while a batch is projected."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from projection_worker.records import FetchedRecords, earliest

FIRST, SECOND = TopicPartition("events", 0), TopicPartition("events", 1)


def records(*offsets: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in offsets]


def offsets(batch: Any) -> dict[TopicPartition, list[int]]:
    return {partition: [one.offset for one in part] for partition, part in batch.items()}


def test_all_of_them_are_the_next_batch():
    fetched = FetchedRecords(limit=10)
    fetched.add({FIRST: records(4), SECOND: records(7)})
    fetched.add({FIRST: records(5, 6)})
    assert fetched.room == 6
    assert fetched.begins() == {FIRST: 4, SECOND: 7}
    assert offsets(fetched.take(10)) == {FIRST: [4, 5, 6], SECOND: [7]}
    assert (fetched.room, fetched.begins(), fetched.take(10)) == (10, {}, {})


def test_what_a_batch_has_no_room_for_stays_in_order():
    fetched = FetchedRecords(limit=10)
    fetched.add({FIRST: records(4, 5, 6), SECOND: records(7)})
    assert offsets(fetched.take(2)) == {FIRST: [4, 5]}
    fetched.add({FIRST: records(8)})
    assert fetched.take(0) == {}
    assert offsets(fetched.take(2)) == {FIRST: [6, 8]}
    assert offsets(fetched.take(2)) == {SECOND: [7]}


def test_those_of_a_partition_that_another_worker_reads_are_forgotten():
    fetched = FetchedRecords(limit=10)
    fetched.add({FIRST: records(4), SECOND: records(7)})
    fetched.revoked({FIRST})
    assert offsets(fetched.take(10)) == {SECOND: [7]}


async def test_whoever_waits_goes_on_once_some_are_added_or_taken():
    fetched = FetchedRecords(limit=1)
    waits = asyncio.create_task(fetched.changed())
    await asyncio.sleep(0)
    fetched.add({FIRST: records(4)})
    await waits
    waits = asyncio.create_task(fetched.changed())
    await asyncio.sleep(0)
    fetched.take(0)
    assert not waits.done()
    fetched.take(1)
    await waits


def test_of_several_offsets_of_a_partition_the_lowest_counts():
    assert earliest({FIRST: 3}, {}, {FIRST: 2, SECOND: 9}) == {FIRST: 2, SECOND: 9}
