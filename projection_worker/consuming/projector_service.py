"""The projector's transport: aiokafka batches inside the Faust worker.

A Faust agent costs several times as much an event and acknowledges what its handler refused; see
docs/decisions/003-projector-as-a-faust-service.md. Offsets are committed only after a batch is in
the read models and its notices are acknowledged."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from mode import Service
from pymongo.errors import PyMongoError

from projection_worker.consuming.health import (
    BROKER_SECONDS,
    EVERY_SECONDS,
    MEASURE_SECONDS,
    WorkerWatch,
)
from projection_worker.consuming.kafka_clients import (
    FinishBatchFirst,
    NoticePublisher,
    events_consumer,
)
from projection_worker.projecting.generations import GenerationHeld, KeptGenerations, NothingToWrite
from projection_worker.projecting.read_model_store import StaleBatch
from projection_worker.projecting.removal import ErasedChildren
from projection_worker.projections import registry
from projection_worker.records import Delivered, WaitingRecords, deliver, raw_record
from projection_worker.settings import WorkerSettings
from shared.event_store.port import StoreUnavailable
from shared.fault_points import FaultPoint, reached
from shared.kafka import CHILD_EVENTS, Polling
from shared.tasks import only_own_cancellation, time_limit

log = structlog.get_logger(__name__)

PASSING = (
    PyMongoError,
    KafkaError,
    StoreUnavailable,
    StaleBatch,
    GenerationHeld,
    NothingToWrite,
    OSError,
)
LOOK_SECONDS = 0.5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0


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
        self._settings = settings
        self._watch = watch
        self._polling = Polling(settings.kafka)
        self._batch_under_way = asyncio.Lock()
        self._begun_at: Mapping[TopicPartition, int] = {}
        self._waiting = WaitingRecords()
        self._consumer = events_consumer(settings)

    async def on_start(self) -> None:
        await self._publisher.start()
        await self._consumer.start()

    async def on_stop(self) -> None:
        async with self._batch_under_way:
            await self._consumer.stop()
        await self._publisher.stop()

    async def crash(self, reason: BaseException) -> None:
        """Of an error that nobody foresaw: mode ends the tasks and leaves the process running."""
        self._watch.fail(reason)
        await super().crash(reason)

    @Service.task
    async def _project(self) -> None:
        await self._wait_for_a_generation()
        await self._persistently(self._reapply_erasures)
        self._consumer.subscribe(
            [CHILD_EVENTS.name], listener=FinishBatchFirst(self._batch_under_way, self._waiting)
        )
        while not self.should_stop:
            batch = await self._fetch()
            if batch or self._waiting.records:
                async with self._batch_under_way:
                    await self.carry_out(batch)

    async def _fetch(self) -> Mapping[TopicPartition, Sequence[Any]]:
        """Nothing as long as a whole batch waits."""
        most = self._settings.worker_batch - len(self._waiting.records)
        if most <= 0:
            return {}
        at_once = bool(self._waiting.records)
        with only_own_cancellation():
            return await self._polling.fetch(self._consumer, most, at_once=at_once)

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
            await self._watch.measure(self._consumer, self._begun_at)
            await self.sleep(MEASURE_SECONDS)

    @Service.task
    async def _watch_topics(self) -> None:
        while not self.should_stop:
            await self._watch.topics.look()
            await self.sleep(EVERY_SECONDS)

    async def carry_out(self, batch: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Project, publish, commit; together with what waits, of which some may go on waiting."""
        self._waiting.fetched(batch)
        began = {partition: part[0].offset for partition, part in batch.items()}
        self._begun_at = began | self._waiting.begins()
        records = (record for part in batch.values() for record in part)
        deliveries = [*self._waiting.records, *(deliver(raw_record(one)) for one in records)]
        if await self._persistently(lambda: self._project_and_publish(deliveries)):
            await self._commit(batch)
            self._begun_at = self._waiting.begins()

    async def _persistently(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Again and again until it succeeds, or the service is to stop: False."""
        pause = FIRST_PAUSE_SECONDS
        while not self.should_stop:
            try:
                with only_own_cancellation():
                    await work()
            except PASSING as error:
                because = self._watch.troubles.failed(error)
                self._watch.metrics.retry(because)
                log.warning(
                    "batch_retried", because=because, seconds=self._watch.troubles.retrying_seconds
                )
                await self.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                self._watch.troubles.succeeded()
                return True
        return False

    async def _reapply_erasures(self) -> None:
        """Whoever a copy of the read models from before their erasure brought back."""
        async for batch in self._erased.to_reapply():
            log.warning("erasures_reapplied_to_read_models", children=len(batch))
            await self._project_and_publish(batch)

    async def _project_and_publish(self, deliveries: Sequence[Delivered]) -> None:
        started = time.perf_counter()
        projected = await self._generations.project(deliveries)
        self._waiting.records = projected.waiting
        if projected.waiting:  # some of what is missing before them is there
            self._watch.lag.progressed(time.monotonic())
        await self._erased.note(projected.erasures)
        reached(FaultPoint.WORKER_AFTER_COMMIT)
        await self._publisher.publish(projected)
        reached(FaultPoint.WORKER_BEFORE_OFFSETS)
        self._watch.metrics.batch(projected, time.perf_counter() - started)
        for dead_lettered in projected.dead_lettered:
            log.error(
                "record_dead_lettered",
                record=dead_lettered.raw.identity,
                child_id=dead_lettered.child_id,
            )

    async def _commit(self, batch: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Again and again as long as it fails: the watch sees when that is for too long."""
        offsets = self._waiting.offsets()
        if batch:
            self._watch.lag.projected(max(records[-1].timestamp for records in batch.values()))
        while not self.should_stop:
            try:
                async with time_limit(BROKER_SECONDS):
                    with only_own_cancellation():
                        await self._consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError):
                # The partitions went to another worker: it reads the batch again, and skips it.
                log.info("offsets_of_revoked_partitions")
            except (KafkaError, TimeoutError) as error:
                self._watch.commits.failed()
                log.warning("offsets_not_committed", error=type(error).__name__)
                await self.sleep(FIRST_PAUSE_SECONDS)
                continue
            self._watch.commits.succeeded()
            return
