"""The projector's transport: aiokafka batches inside the Faust worker.

A Faust agent costs several times as much an event and acknowledges what its handler refused; see
docs/decisions/003-projector-as-a-faust-service.md. Offsets are committed only after a batch is in
the read models and its notices are acknowledged."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import structlog
from aiokafka import TopicPartition
from mode import Service
from pymongo.errors import PyMongoError

from projection_worker.consuming.finishing import BatchFinisher, ProjectedBatch
from projection_worker.consuming.health import (
    EVERY_SECONDS,
    MEASURE_SECONDS,
    Offsets,
    WorkerWatch,
)
from projection_worker.consuming.kafka_clients import (
    FinishBatchFirst,
    NoticePublisher,
    events_consumer,
)
from projection_worker.consuming.persistence import Persistence
from projection_worker.projecting.generations import KeptGenerations
from projection_worker.projecting.projector import Projected
from projection_worker.projecting.removal import ErasedChildren, Erasure
from projection_worker.projections import registry
from projection_worker.records import (
    Batch,
    FetchedRecords,
    WaitingRecords,
    begins,
    deliver,
    earliest,
    raw_record,
)
from projection_worker.settings import WorkerSettings
from shared.kafka import CHILD_EVENTS, Polling
from shared.tasks import only_own_cancellation

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
FETCH_SECONDS = 0.01
"""Between two fetches beside a batch under way: hundreds of records a second would come one by one,
and each fetch takes as long as some records."""


class ProjectorService(Service):
    """Consumes `teddy.child.events.v1` as a member of the projector's consumer group."""

    def __init__(
        self,
        generations: KeptGenerations,
        publisher: NoticePublisher,
        erased: ErasedChildren,
        settings: WorkerSettings,
        watch: WorkerWatch,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._generations = generations
        self._publisher = publisher
        self._erased = erased
        self._watch = watch
        self._polling = Polling(settings.kafka)
        self._batch_under_way = asyncio.Lock()
        self._begins: Offsets = {}
        self._fetched = FetchedRecords(settings.worker_batch)
        self._waiting = WaitingRecords()
        self._persistence = Persistence(self, watch)
        self._consumer = events_consumer(settings)
        self._finisher = BatchFinisher(self, self._consumer, publisher, watch)

    async def on_start(self) -> None:
        await self._publisher.start()
        await self._consumer.start()

    async def on_stop(self) -> None:
        async with self._batch_under_way:
            await self._finisher.finished()
        await self._consumer.stop()  # a rebalance that it waits for takes the lock
        await self._publisher.stop()

    async def crash(self, reason: BaseException) -> None:
        """Of an error that nobody foresaw: mode ends the tasks and leaves the process running."""
        self._watch.fail(reason)
        await super().crash(reason)

    @Service.task
    async def _project(self) -> None:
        await self._wait_for_a_generation()
        await self._persistence.until_done(self._reapply_erasures)
        self._consumer.subscribe([CHILD_EVENTS.name], listener=FinishBatchFirst(self.finished))
        self.add_future(self._fetch())
        while not self.should_stop:
            async with self._batch_under_way:
                batch = self._fetched.take(self._fetched.limit - len(self._waiting.records))
                if batch or self._waiting.records:
                    await self.carry_out(batch)
                    continue
            await self._fetched.changed()

    async def _fetch(self) -> None:
        """Beside the projection: aiokafka asks for nothing of a partition whose records nobody has
        taken yet."""
        while not self.should_stop:
            while self._fetched.room <= 0:
                await self._fetched.changed()
            with only_own_cancellation():
                room = self._fetched.room
                self._fetched.add(await self._polling.fetch(self._consumer, room))
            if self._batch_under_way.locked():
                await self.sleep(FETCH_SECONDS)

    async def finished(self, revoked: Collection[TopicPartition]) -> None:
        """Nothing of these partitions is under way or to come."""
        self._fetched.revoked(revoked)
        async with self._batch_under_way:
            await self._finisher.finished()
            self._waiting.revoked(revoked)
            self._begins = self._waiting.begins()

    async def _wait_for_a_generation(self) -> None:
        """A worker of new projections consumes nothing before a rebuild has begun its generation:
        until then the workers of the old ones go on."""
        while not self.should_stop:
            try:
                if await self._generations.any():
                    break
            except PyMongoError as error:
                log.warning("generations_unknown", error=type(error).__name__)
            self._watch.waits_for_a_generation = True
            log.warning("worker_needs_rebuild", projections=registry.VERSION)
            await self.sleep(LOOK_SECONDS)
        self._watch.waits_for_a_generation = False

    @Service.task
    async def _measure(self) -> None:
        while not self.should_stop:
            await self._watch.measure(self._consumer, self._under_way)
            await self.sleep(MEASURE_SECONDS)

    def _under_way(self) -> Offsets:
        return earliest(self._fetched.begins(), self._begins, self._finisher.begins)

    @Service.task
    async def _watch_topics(self) -> None:
        while not self.should_stop:
            await self._watch.topics.look()
            await self.sleep(EVERY_SECONDS)

    async def carry_out(self, batch: Batch) -> None:
        """Project `batch` together with what waits, of which some may go on waiting; the rest
        follows beside the next batch."""
        started = time.perf_counter()
        self._waiting.fetched(batch)
        self._begins = earliest(begins(batch), self._waiting.begins())
        records = (record for part in batch.values() for record in part)
        deliveries = [*self._waiting.records, *(deliver(raw_record(one)) for one in records)]
        projected = await self._persistence.until_done(
            lambda: self._generations.project(deliveries)
        )
        if projected is None:
            return
        self._progressed(batch, projected)
        for erasure in projected.erasures:
            await self._note(erasure)
        await self._finisher.begin(
            ProjectedBatch(projected, started, self._begins, self._waiting.offsets())
        )
        self._begins = self._waiting.begins()

    def _progressed(self, batch: Batch, projected: Projected) -> None:
        self._waiting.records = projected.waiting
        if projected.waiting:  # some of what is missing before them is there
            self._watch.lag.progressed(time.monotonic())
        if batch:
            self._watch.lag.projected(max(records[-1].timestamp for records in batch.values()))

    async def _note(self, erasure: Erasure) -> None:
        """What was removed adds up on record: only the first try says it."""
        left = erasure

        async def note() -> None:
            nonlocal left
            now, left = left, replace(left, removed=0)
            await self._erased.note([now])

        await self._persistence.until_done(note)

    async def _reapply_erasures(self) -> None:
        """Whoever a copy of the read models from before their erasure brought back."""
        async for batch in self._erased.to_reapply():
            log.warning("erasures_reapplied_to_read_models", children=len(batch))
            projected = await self._generations.project(batch)
            await self._erased.note(projected.erasures)
            await self._finisher.publish(projected)
