"""Cuts the event store, or the topic, into slices that can be worked on independently, and builds
each: some whole histories in memory, then each document once; or the worker's way, by records."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo.errors import PyMongoError

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.projector import Projector
from projection_worker.projecting.read_model_store import StaleBatch
from projection_worker.projecting.unstorable import UnstorableDocument
from projection_worker.records import Delivered, deliver, raw_record
from projection_worker.replay.histories import Stream, in_batches, streams
from projection_worker.replay.rebuild.children import (
    ChildrenWriter,
    LongChildrenBuilder,
    Written,
    reason_of,
)
from projection_worker.replay.rebuild.ledger import Done, Kind, Ledger, Slice
from projection_worker.replay.rebuild.pacing import Pace, patiently
from shared.event_store.commit_documents import COLLECTION
from shared.event_store.port import EventStore
from shared.fault_points import FaultPoint, reached
from shared.kafka import CHILD_EVENTS, Servers, client_options, partitions_of
from shared.mongo import Database, Document, aggregate
from shared.read_models.generations import Generation

log = structlog.get_logger(__name__)

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


BATCH_EVENTS = 2_000


@dataclass(frozen=True, slots=True)
class ChildSliceBuilder:
    """Workers write the same generation at the same time; the checkpoints decide who was first."""

    store: EventStore
    children: ChildrenWriter
    long_children: LongChildrenBuilder
    dead_letters: DeadLetters
    ledger: Ledger
    pace: Pace

    async def build(self, one: Slice) -> None:
        """From where the slice stands to its end. Raises StaleBatch, PyMongoError."""
        # those of a child that is under way are counted when it is done
        done, shard = one.events_done - one.inside_version, f"rebuild-{one.number}"
        histories = streams(self.store, one.reached or one.begin, one.end)
        async for batch, held in in_batches(histories, BATCH_EVENTS):
            if batch[0].is_whole:
                written, events = await self._write_isolating(batch, shard), held
                await self.pace.keep(events)
            else:
                written, events = await self.long_children.build(one, batch[0].child_id, done)
            for child_id, reason in written.failures.items():
                log.error("rebuild_cannot_fold", child_id=child_id, reason=reason)
            # a worker dead-letters what follows, as in any other
            await self.dead_letters.mark(written.failures)
            done += events
            await self.ledger.advance(one, batch[-1].child_id, done, written.unopened)
        await self.ledger.finish(one, Done.BUILT)
        reached(FaultPoint.REBUILD_AFTER_SLICE)

    async def _write_isolating(self, batch: Sequence[Stream], shard: str) -> Written:
        """Write together; when a worker was at one of the children, or one cannot be stored, find
        it by halving."""
        if len(batch) == 1:
            return await self._write_one(batch[0], shard)
        try:
            return await patiently(lambda: self.children.write(batch, shard), PyMongoError)
        except (StaleBatch, UnstorableDocument) as error:
            log.info("rebuild_batch_halved", children=len(batch), reason=type(error).__name__)
        middle = len(batch) // 2
        first = await self._write_isolating(batch[:middle], shard)
        return first + await self._write_isolating(batch[middle:], shard)

    async def _write_one(self, stream: Stream, shard: str) -> Written:
        try:
            return await patiently(
                lambda: self.children.write([stream], shard), StaleBatch, PyMongoError
            )
        except UnstorableDocument as error:
            return Written({stream.child_id: reason_of(error)})


BATCH_RECORDS = 2_000
WAIT_MS = 200


@dataclass(frozen=True, slots=True)
class PartitionSliceBuilder:
    """Gaps are refilled from the event store; children the topic has no record of stay out."""

    bootstrap: Servers
    projector: Projector
    ledger: Ledger
    pace: Pace

    async def build(self, one: Slice) -> None:
        """From where the slice stands to its end. Raises KafkaError, PyMongoError, StaleBatch."""
        consumer = AIOKafkaConsumer(
            **client_options(self.bootstrap),
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            await self._build(one, consumer)
        finally:
            await consumer.stop()
        await self.ledger.finish(one, Done.BUILT)

    async def _build(self, one: Slice, consumer: AIOKafkaConsumer) -> None:
        place, end = TopicPartition(CHILD_EVENTS.name, one.number), int(one.end)
        consumer.assign([place])
        consumer.seek(place, int(one.reached or one.begin))
        while await consumer.position(place) < end:
            fetched = await consumer.getmany(timeout_ms=WAIT_MS, max_records=BATCH_RECORDS)
            records = [record for part in fetched.values() for record in part]
            if not records:
                continue
            batch = [deliver(raw_record(record)) for record in records]
            await self._project(batch)
            reached = await consumer.position(place)
            await self.ledger.advance(one, str(reached), min(reached, end) - int(one.begin))
            await self.pace.keep(len(records))

    async def _project(self, batch: Sequence[Delivered]) -> None:
        """Again with what has to wait for the rest of a large gap."""
        while batch:
            project = partial(self.projector.project, batch)
            batch = (await patiently(project, StaleBatch, PyMongoError)).waiting
