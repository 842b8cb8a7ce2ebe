"""Cuts the event store, or the topic, into slices that can be worked on independently, and builds
each: some whole histories in memory, then each document once; or the worker's way, by records."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo.errors import PyMongoError

from projection_worker.consuming.kafka_clients import open_consumer
from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.projector import Projector
from projection_worker.projecting.read_model_store import StaleBatch
from projection_worker.projecting.unstorable import UnstorableDocument, in_few_words
from projection_worker.records import Delivered, deliver, raw_record
from projection_worker.replay.histories import Stream, ends_at, in_batches, relevant_pages, streams
from projection_worker.replay.rebuild.children import (
    PartsOfChildren,
    WholeChildren,
    Written,
    reason_of,
)
from projection_worker.replay.rebuild.ledger import Done, Kind, Ledger, Slice
from projection_worker.replay.rebuild.pacing import Pace
from shared.event_store.commit_documents import COLLECTION
from shared.event_store.port import EventStore
from shared.fault_points import FaultPoint, reached
from shared.kafka import CHILD_EVENTS, Servers, partitions_of
from shared.mongo import Database, Document, aggregate
from shared.read_models.generations import Generation

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

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
    async with open_consumer(bootstrap) as consumer:
        places = await partitions_of(consumer, CHILD_EVENTS.name)
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
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
    """Workers write the same generation at the same time; the checkpoints decide who was first.

    A child with a long history is written by `whole`, a page of events in memory, a transaction a
    page. Where a page ends the child's documents are as they were then, and its version says so: a
    worker that has newer events of the child fills up from there, and the rebuild goes on behind
    it. Each page is noted in the ledger, and a rebuild that was killed goes on within the child.
    Every model is folded anew, also where others are carried over: to copy all documents of such a
    child would be one transaction without bound."""

    store: EventStore
    children: WholeChildren | PartsOfChildren
    whole: WholeChildren
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
                written, events = await self._build_long(one, batch[0].child_id, done)
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
            return await _write_one(batch[0].child_id, partial(self.children.write, batch, shard))
        try:
            return await patiently(lambda: self.children.write(batch, shard), PyMongoError)
        except (StaleBatch, UnstorableDocument) as error:
            log.info("rebuild_batch_halved", children=len(batch), reason=type(error).__name__)
        middle = len(batch) // 2
        first = await self._write_isolating(batch[:middle], shard)
        return first + await self._write_isolating(batch[middle:], shard)

    async def _build_long(self, one: Slice, child_id: str, done: int) -> tuple[Written, int]:
        """`done`: events of the slice before this child. What was written of it, and how many
        events it has."""
        after = one.inside_version if one.inside == child_id else 0
        ends = await ends_at(self.store, child_id)
        written, version = await self._build_pages(one, child_id, done, after, ends)
        if written.failures and ends == 0:
            ends = await ends_at(self.store, child_id)
            if ends > 0:  # it was erased meanwhile: of what was before nothing has to be readable
                written, version = await self._build_pages(one, child_id, done, 0, ends)
        return written, version

    async def _build_pages(
        self, one: Slice, child_id: str, done: int, after: int, ends: int
    ) -> tuple[Written, int]:
        written, version, shard = Written(), after, f"rebuild-{one.number}"
        async for events in relevant_pages(self.store, child_id, after, ends):
            write = partial(self.whole.write_events, {child_id: events}, shard)
            written += await _write_one(child_id, write)
            if written.failures:
                break
            version = events[-1].version
            await self.ledger.advance_inside(
                one, child_id, version, done + version, written.unopened
            )
            reached(FaultPoint.REBUILD_INSIDE_CHILD)
            await self.pace.keep(len(events))
        return written, version


async def _write_one(child_id: str, write: Callable[[], Awaitable[Written]]) -> Written:
    """Again where a worker was at the child. Raises StaleBatch, PyMongoError."""
    try:
        return await patiently(write, StaleBatch, PyMongoError)
    except UnstorableDocument as error:
        return Written({child_id: reason_of(error)})


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
        async with open_consumer(self.bootstrap, isolation_level="read_committed") as consumer:
            await self._build(one, consumer)
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


FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 1.0
PATIENCE_SECONDS = 90.0
"""Longer than MongoDB keeps the transaction of a process that was killed (60 s, unless set
otherwise): its documents cannot be written until then."""


async def patiently(work: Callable[[], Awaitable[Result]], *passing: type[Exception]) -> Result:
    """What `work` gives. Whatever is one of `passing` is tried again with back-off, and raised once
    `PATIENCE_SECONDS` are over: a rebuild can be resumed."""
    pause, deadline = FIRST_PAUSE_SECONDS, time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await work()
        except passing as error:
            log.warning("rebuild_retried", because=in_few_words(error))
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
