"""Whether the worker makes progress and the topics are as planned: measured for readiness, metrics
and the worker's own end."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from pymongo.errors import PyMongoError

from projection_worker.consuming.progress import (
    Attempts,
    Stalled,
    Troubles,
    WorkerLag,
    WorkerMetrics,
)
from projection_worker.consuming.store_lag import StoreWatch
from projection_worker.projecting.generations import KeptGenerations
from projection_worker.projections import registry
from projection_worker.settings import WorkerSettings
from shared.kafka import Servers, topic_findings
from shared.tasks import only_own_cancellation, time_limit

log = structlog.get_logger(__name__)

EVERY_SECONDS = 10.0
ANSWER_SECONDS = 8.0


class TopicWatch:
    """`findings`: one line for each topic that is not as planned.

    They are asked for by a client of its own: that a new client is answered distinguishes a
    broker that is away from a worker whose own clients hang."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._answered_at: float | None = None
        self.findings: tuple[str, ...] = ()

    def answered_lately(self) -> bool:
        """Whether the broker answers others."""
        answered = self._answered_at
        return answered is not None and time.monotonic() - answered < 2.5 * EVERY_SECONDS

    async def look(self) -> None:
        """Whatever the broker does, this ends in time."""
        try:
            async with time_limit(ANSWER_SECONDS):
                with only_own_cancellation():
                    found = await topic_findings(self._servers)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("topics_unknown", error=type(error).__name__)
            return
        self._answered_at = time.monotonic()
        if found != self.findings:
            log.warning("topics_differ", findings=found)
        self.findings = found


MEASURE_SECONDS = 1.0
BROKER_SECONDS = 10.0
"""Longest that a question to the broker may take: aiokafka asks for ever for a partition that is
gone."""

Offsets = Mapping[TopicPartition, int]
REBUILD = "run `teddy replay rebuild`"


class WorkerWatch:
    """`failure` is set when the process is to end. `waits_for_a_generation` and `commits` are kept
    by whoever projects."""

    def __init__(
        self,
        generations: KeptGenerations,
        settings: WorkerSettings,
        lag: WorkerLag,
        troubles: Troubles,
        metrics: WorkerMetrics,
        store_watch: StoreWatch,
    ) -> None:
        self.lag = lag
        self.troubles = troubles
        self.metrics = metrics
        self.topics = TopicWatch(settings.kafka)
        self.commits = Attempts("offsets could not be committed")
        self.waits_for_a_generation = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._generations = generations
        self._store_watch = store_watch
        self._stall_seconds = settings.worker_stall_seconds
        self._name = settings.worker_instance_id or f"{socket.gethostname()}:{os.getpid()}"
        self._measurements = Attempts("lag could not be measured")
        self._measured_at = 0.0
        self._ends: Offsets = {}

    async def check_kafka(self) -> None:
        """Raises unless the broker answered lately; for the readiness report."""
        if time.monotonic() - self._measured_at > 5 * MEASURE_SECONDS:
            raise ConnectionError("the broker has not answered recently")

    def findings(self) -> tuple[str, ...]:
        """Why this worker does not keep the read models up to date, one line each."""
        if self.waits_for_a_generation:
            return (f"waits for a rebuild to projections {registry.VERSION}: {REBUILD}",)
        return self.lag.findings()

    def details(self) -> dict[str, Any]:
        topics = list(self.topics.findings)
        return {"lag": self.lag.report(), **self.troubles.report(), "topics": topics}

    def fail(self, reason: BaseException) -> None:
        """The process is to end, with one line."""
        foreseen = isinstance(reason, Stalled)
        stalled = reason if foreseen else Stalled(f"ended by {type(reason).__name__}")
        log.critical("worker_stalled", reason=str(stalled), exc_info=None if foreseen else reason)
        if not self.failure.done():
            self.failure.set_exception(stalled)

    async def measure(self, consumer: AIOKafkaConsumer, begun_at: Callable[[], Offsets]) -> None:
        """One look at everything. `begun_at`: where what is under way begins."""
        await self._measure_kafka(consumer, begun_at)
        # a store that hangs must not keep anybody from seeing that there is no progress
        with contextlib.suppress(PyMongoError, TimeoutError):
            async with time_limit(MEASURE_SECONDS):
                await self._generations.beat(self._name)
                self.troubles.dead_lettered = await self._generations.dead_lettered()
        with contextlib.suppress(PyMongoError, TimeoutError):
            async with time_limit(MEASURE_SECONDS):
                await self._store_watch.measure()
        self.metrics.troubles(self.troubles)
        self.metrics.lag(self.lag)
        self.metrics.found(len(self.findings()), len(self.topics.findings))

    async def _measure_kafka(
        self, consumer: AIOKafkaConsumer, begun_at: Callable[[], Offsets]
    ) -> None:
        """A worker that fails for long ends itself, unless the broker is away for everybody."""
        try:
            try:
                async with time_limit(BROKER_SECONDS):
                    with only_own_cancellation():
                        await self._measure_once(consumer, begun_at)
            except (KafkaError, IllegalStateError, TimeoutError) as error:
                self._measurements.failed()
                self.lag.partitions = {}  # others may read them now
                log.warning("lag_unknown", error=type(error).__name__)
            else:
                self._measurements.succeeded()
            if self.topics.answered_lately():
                self._measurements.check(self._stall_seconds)
                self.commits.check(self._stall_seconds)
        except Stalled as stalled:
            self.fail(stalled)

    async def _begin_again(self, consumer: AIOKafkaConsumer, ends: Offsets) -> None:
        """Of a partition that ends earlier than before, the consumer's place means nothing: it was
        made anew or lost records, and the relay publishes them again."""
        lost = [partition for partition, end in ends.items() if end < self._ends.get(partition, 0)]
        self._ends = ends
        if lost:
            log.warning("topic_lost_records", partitions=sorted(p.partition for p in lost))
            await consumer.seek_to_beginning(*lost)

    async def _measure_once(
        self, consumer: AIOKafkaConsumer, begun_at: Callable[[], Offsets]
    ) -> None:
        """Raises Stalled, KafkaError, IllegalStateError."""
        partitions = list(consumer.assignment())
        if not partitions:
            await consumer.topics()
        ends = await consumer.end_offsets(partitions) if partitions else {}
        await self._begin_again(consumer, ends)
        fetched = {p: await consumer.position(p) for p in partitions}
        # what is fetched and not projected yet still waits
        begun = begun_at()
        positions = {p: begun.get(p, fetched[p]) for p in partitions}
        self._measured_at = time.monotonic()
        waiting = {one.partition: max(0, ends[one] - positions[one]) for one in partitions}
        self.lag.partitions = waiting
        self.lag.measure(ends, positions, self._measured_at)
