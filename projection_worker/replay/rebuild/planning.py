"""Cuts the event store, or the topic, into slices that can be worked on independently."""

from aiokafka import AIOKafkaConsumer

from projection_worker.replay.rebuild.ledger import Done, Kind, Slice
from shared.event_store.commit_documents import COLLECTION
from shared.kafka import Servers, client_options
from shared.mongo import Database, Document, aggregate
from shared.read_models.generations import Generation
from shared.topic_partitions import partitions_of
from shared.topics import CHILD_EVENTS

MOST_SLICES = 64
COMMITS_A_SLICE = 4_000
"""Large enough for full batches, small enough for an even load of some processes."""


async def slices_of_store(commits: Database, generation: Generation) -> list[Slice]:
    """Ranges of child ids with about as many commits each; the last one has no end."""
    commits_there = await commits[COLLECTION].estimated_document_count()
    wanted = max(1, min(MOST_SLICES, commits_there // COMMITS_A_SLICE))
    pipeline: list[Document] = [
        {
            "$bucketAuto": {
                "groupBy": "$_id",
                "buckets": wanted,
                "output": {"events": {"$sum": {"$size": "$events"}}, "last": {"$max": "$_id"}},
            }
        }
    ]
    slices: list[Slice] = []
    begin, events = "", 0
    async for bucket in aggregate(commits[COLLECTION], pipeline):
        events += bucket["events"]
        last = bucket["last"].rpartition("@")[0]
        if last == begin:  # the bucket ends within the same child as the one before
            continue
        slices.append(Slice(generation, Kind.CHILDREN, len(slices), begin, last, events))
        begin, events = last, 0
    slices.append(Slice(generation, Kind.CHILDREN, len(slices), begin, "", events))
    return slices


async def slices_of_topic(bootstrap: Servers, generation: Generation) -> list[Slice]:
    """All that the topic holds now, a slice a partition. Raises KafkaError."""
    consumer = AIOKafkaConsumer(**client_options(bootstrap), enable_auto_commit=False)
    await consumer.start()
    try:
        places = await partitions_of(consumer, CHILD_EVENTS.name)
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
    finally:
        await consumer.stop()
    return [
        Slice(
            generation,
            Kind.PARTITION,
            place.partition,
            str(begins[place]),
            str(ends[place]),
            ends[place] - begins[place],
            done=Done.NOTHING if ends[place] > begins[place] else Done.BUILT,
        )
        for place in places
    ]
