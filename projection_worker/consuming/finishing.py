"""What follows the projection of a batch, while the next batch is projected: its notices are
published, then its offsets are committed.

One batch is finished at a time, in the order of projection. Until its offsets are committed a batch
may be read again, after a crash or by another worker: then the checkpoints skip its events, and its
notices are published once more."""

import asyncio
import time
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from mode import Service

from projection_worker.consuming.health import BROKER_SECONDS, Offsets, WorkerWatch
from projection_worker.consuming.kafka_clients import NoticePublisher
from projection_worker.consuming.persistence import FIRST_PAUSE_SECONDS, Persistence
from projection_worker.projecting.projector import Projected
from shared.fault_points import FaultPoint, reached
from shared.tasks import only_own_cancellation, time_limit

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProjectedBatch:
    """`started`: when its projection began, by `time.perf_counter`; `begins`: its first offset in
    each partition; `done`: where each partition is read on from once it is finished."""

    projected: Projected
    started: float
    begins: Offsets
    done: Offsets


class BatchFinisher:
    def __init__(
        self,
        service: Service,
        consumer: AIOKafkaConsumer,
        publisher: NoticePublisher,
        watch: WorkerWatch,
    ) -> None:
        self._service = service
        self._consumer = consumer
        self._publisher = publisher
        self._watch = watch
        self._persistence = Persistence(service, watch)
        self._under_way: asyncio.Future[None] | None = None
        self.begins: Offsets = {}

    async def begin(self, batch: ProjectedBatch) -> None:
        """Finish `batch` in the background, once the one before is finished."""
        await self.finished()
        self.begins = batch.begins
        # the service ends when this raises, and joins it when it is stopped
        self._under_way = self._service.add_future(self._finish(batch))

    async def finished(self) -> None:
        """Wait for the batch under way."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    async def publish(self, projected: Projected) -> None:
        """Raises KafkaError: do it again then."""
        reached(FaultPoint.WORKER_AFTER_COMMIT)
        await self._publisher.publish(projected)
        for dead_lettered in projected.dead_lettered:
            log.error(
                "record_dead_lettered",
                record=dead_lettered.raw.identity,
                child_id=dead_lettered.child_id,
            )

    async def _finish(self, batch: ProjectedBatch) -> None:
        await self._persistence.until_done(lambda: self._publish(batch))
        if not self._service.should_stop:
            await self._commit(batch.done)
            self.begins = {}

    async def _publish(self, batch: ProjectedBatch) -> None:
        await self.publish(batch.projected)
        reached(FaultPoint.WORKER_BEFORE_OFFSETS)
        self._watch.metrics.batch(batch.projected, time.perf_counter() - batch.started)

    async def _commit(self, offsets: Offsets) -> None:
        """Again and again as long as it fails: the watch sees when that is for too long."""
        while not self._service.should_stop:
            try:
                async with time_limit(BROKER_SECONDS):
                    with only_own_cancellation():
                        await self._consumer.commit(dict(offsets))
            except (CommitFailedError, IllegalStateError):
                # The partitions went to another worker: it reads the batch again, and skips it.
                log.info("offsets_of_revoked_partitions")
            except (KafkaError, TimeoutError) as error:
                self._watch.commits.failed()
                log.warning("offsets_not_committed", error=type(error).__name__)
                await self._service.sleep(FIRST_PAUSE_SECONDS)
                continue
            self._watch.commits.succeeded()
            return
