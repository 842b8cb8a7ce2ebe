"""The worker's own Kafka clients: one consumes the events, one publishes what a batch changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from projection_worker.projecting.generations import consumer_group
from projection_worker.projecting.projector import Projected
from projection_worker.records import DeadLettered
from projection_worker.settings import WorkerSettings
from shared.kafka import CHILD_ALERTS, DEAD_LETTERS, READ_MODEL_CHANGES, Servers, client_options
from shared.read_models.notices import AlertNotice

log = structlog.get_logger(__name__)

METADATA_MS = 5_000
"""How old the worker's clients let their list of brokers grow. aiokafka asks only brokers on that
list: one that still knew none but the broker which is now gone would never find the others."""


def events_consumer(settings: WorkerSettings) -> AIOKafkaConsumer:
    session_ms = int(settings.worker_session_timeout_seconds * 1_000)
    return AIOKafkaConsumer(
        **client_options(settings.kafka),
        group_id=consumer_group(settings),
        group_instance_id=settings.worker_instance_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 3,
        max_poll_records=settings.worker_batch,
        metadata_max_age_ms=METADATA_MS,
    )


@asynccontextmanager
async def open_consumer(servers: Servers, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """One that commits nothing by itself, for as long as the block. Raises KafkaError."""
    consumer = AIOKafkaConsumer(**client_options(servers), enable_auto_commit=False, **options)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


class FinishBatchFirst(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Lets what is under way be finished and committed before its partitions are given away.
    `finished` does so, and forgets what waits in them."""

    def __init__(self, finished: Callable[[Collection[TopicPartition]], Awaitable[None]]) -> None:
        self._finished = finished

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        partitions = set(revoked)
        await self._finished(partitions)
        log.info("partitions_revoked", partitions=sorted(p.partition for p in partitions))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        log.info("partitions_assigned", partitions=sorted(p.partition for p in assigned))


FORGOTTEN = (OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)
"""What a broker that lost its disk says to a producer that it knew before, again and again."""


class NoticePublisher:
    """Publishes with an idempotent producer; returns once the broker acknowledged everything."""

    def __init__(self, bootstrap: Servers) -> None:
        self._bootstrap = bootstrap
        self._producer = self._new_producer()

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def publish(self, projected: Projected) -> None:
        """Raises KafkaError: do it again then."""
        try:
            await self._publish(projected)
        except FORGOTTEN:
            await self._begin_anew()
            raise

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **client_options(self._bootstrap),
            enable_idempotence=True,
            acks="all",
            metadata_max_age_ms=METADATA_MS,
        )

    async def _begin_anew(self) -> None:
        fresh = self._new_producer()
        try:
            await fresh.start()
        except KafkaError:
            await fresh.stop()
            raise
        forgotten, self._producer = self._producer, fresh
        await forgotten.stop()

    async def _publish(self, projected: Projected) -> None:
        sends = [
            await self._producer.send(
                READ_MODEL_CHANGES.name, notice.to_json(), notice.child_id.encode()
            )
            for notice in projected.notices
        ]
        for alert in projected.alerts:
            value = AlertNotice.of(alert).to_json()
            key = alert["parent_id"].encode()
            sends.append(await self._producer.send(CHILD_ALERTS.name, value, key))
        await asyncio.gather(*sends, *(self._dead_letter(one) for one in projected.dead_lettered))

    async def _dead_letter(self, dead_lettered: DeadLettered) -> None:
        """Some records leave no room for a reason: then only their place is published; the letter
        in the read store is whole."""
        record = dead_lettered.raw
        reason = [
            ("teddy_reason", dead_lettered.reason.encode()),
            ("teddy_source", record.identity.encode()),
        ]
        try:
            await self._producer.send_and_wait(
                DEAD_LETTERS.name,
                record.value,
                record.key or b"",  # aiokafka sends nothing that has neither key nor value
                headers=[*record.headers, *reason],
            )
        except MessageSizeTooLargeError:
            left_out = ("teddy_left_out", b"too large to be copied")
            await self._producer.send_and_wait(
                DEAD_LETTERS.name, b"", b"", headers=[*reason, left_out]
            )
