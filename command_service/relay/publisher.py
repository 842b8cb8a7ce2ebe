"""Events to Kafka: idempotent, acknowledged by all in-sync replicas, in order for each child."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from command_service.relay.progress import Acknowledged, Ends
from shared.erasures import ErasureNotice
from shared.event_store.envelope import RecordedEvent
from shared.kafka import CHILD_ERASURES, Servers, client_options
from shared.serialization.cloud_events import KafkaRecord, to_record

REQUEST_TIMEOUT_MS = 5_000
BATCH_BYTES = 256 * 1_024
REMEMBERED_KEYS = 100_000
GIVE_UP_SECONDS = 0.25


class Publisher:
    """Publishes to `topic`. Open it with `open_publisher`."""

    def __init__(
        self,
        topic: str,
        producer: AIOKafkaProducer,
        consumer: AIOKafkaConsumer,
        partitions: Sequence[int],
    ) -> None:
        self._topic = topic
        self._producer = producer
        self._consumer = consumer
        self._partitions = partitions
        # The partitioner of Kafka's own clients, so that any producer finds the same partition;
        # remembered, because its hash in Python costs as much as the rest of a record.
        partitioner = DefaultPartitioner()
        self._partition_of = lru_cache(REMEMBERED_KEYS)(
            lambda key: partitioner(key, partitions, partitions)
        )

    async def publish(self, events: Sequence[RecordedEvent]) -> list[Acknowledged]:
        """Publish `events` in order; returns once the broker has acknowledged all of them.

        Raises KafkaError. While the broker is away this waits, for ever if it has to.
        """
        sent = []
        for partition, batch in self._batches(events):
            delivery = await self._producer.send_batch(batch, self._topic, partition=partition)
            sent.append((partition, batch.record_count(), delivery))
        metadata = await asyncio.gather(*(delivery for _, _, delivery in sent))
        return [
            Acknowledged(partition, acknowledged.offset, records)
            for (partition, records, _), acknowledged in zip(sent, metadata, strict=True)
        ]

    async def announce(self, erasures: Sequence[ErasureNotice]) -> None:
        """Put `erasures` on their topic; as `publish`."""
        deliveries = [
            await self._producer.send(CHILD_ERASURES.name, one.to_json(), key=one.child_id.encode())
            for one in erasures
        ]
        await asyncio.gather(*deliveries)

    async def ends(self) -> Ends:
        """Where each partition ends. Raises KafkaError."""
        partitions = [TopicPartition(self._topic, partition) for partition in self._partitions]
        offsets = await self._consumer.end_offsets(partitions)
        return {place.partition: offset for place, offset in offsets.items()}

    def _batches(self, events: Sequence[RecordedEvent]) -> Iterator[tuple[int, BatchBuilder]]:
        # Whole batches instead of single sends: one future a batch, not one a record.
        filling: dict[int, BatchBuilder] = {}
        for event in events:
            record = to_record(event)
            partition = self._partition_of(record.key)
            batch = filling.get(partition)
            if batch is None or not _append(batch, record):
                if batch is not None:
                    yield partition, batch
                filling[partition] = batch = self._producer.create_batch()
                _append(batch, record)
        for partition, batch in filling.items():
            batch.close()
            yield partition, batch


@asynccontextmanager
async def open_publisher(bootstrap: Servers, topic: str) -> AsyncIterator[Publisher]:
    """A publisher that is gone with the block, with what it had not yet sent. Raises KafkaError."""
    producer = AIOKafkaProducer(
        **client_options(bootstrap),
        enable_idempotence=True,
        acks="all",
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap), enable_auto_commit=False, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    try:
        await producer.start()
        await consumer.start()
        partitions = sorted(await producer.partitions_for(topic))
        yield Publisher(topic, producer, consumer, partitions)
    finally:
        await consumer.stop()
        await _abandon(producer)


async def reach_broker(bootstrap: Servers) -> None:
    """One round trip to the broker; raises KafkaError when there is none."""
    client = AIOKafkaClient(**client_options(bootstrap), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await client.bootstrap()
    finally:
        await client.close()


def _append(batch: BatchBuilder, record: KafkaRecord) -> bool:
    appended = batch.append(
        timestamp=None, key=record.key, value=record.value, headers=record.headers
    )
    return appended is not None


async def _abandon(producer: AIOKafkaProducer) -> None:
    # stop() flushes, and an idempotent producer retries until the broker is back. aiokafka has no
    # public way to give up what was not acknowledged, so this reaches inside.
    sender = producer._sender.sender_task
    while sender is not None and not sender.done():
        sender.cancel()  # once to end it, once more to end its wait for requests in flight
        await asyncio.wait({sender}, timeout=GIVE_UP_SECONDS)
    producer._closed = True
    await producer.client.close()
