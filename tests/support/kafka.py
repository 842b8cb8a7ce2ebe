"""An independent look at a Kafka topic, and topics of a test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.protocol.metadata import MetadataRequest

from deploy.topics import apply_topics
from shared.kafka import ALL_TOPICS, Topic, partitions_of
from shared.settings import TopicSettings
from tests.support.waiting import eventually

TOLD_SECONDS = 60.0
REPLICATION = TopicSettings().kafka_replication
"""Copies of what the tests put on Kafka: one, unless the environment gives them a cluster."""


@asynccontextmanager
async def own_topic(bootstrap: str, name: str, partitions: int = 4) -> AsyncIterator[str]:
    """A topic that exists as long as the block."""
    await create_topic(bootstrap, name, partitions)
    yield name
    await delete_topic(bootstrap, name)


async def create_topic(bootstrap: str, name: str, partitions: int = 4) -> None:
    await apply_topics(bootstrap, REPLICATION, [Topic(name, "child_id", partitions, -1)])


async def delete_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()


async def empty_topic(bootstrap: str, name: str, partitions: int = 4) -> None:
    """Lose all its records. Every broker has forgotten the topic before it is made anew: one that
    has not would take records into what is about to be deleted, or say that it is there."""
    await delete_topic(bootstrap, name)
    for address in bootstrap.split(","):
        await eventually(partial(_has_forgotten, address, name), TOLD_SECONDS)
    await create_topic(bootstrap, name, partitions)


async def _has_forgotten(address: str, name: str) -> bool:
    host, _, port = address.rpartition(":")
    connection = await create_conn(host, int(port))
    try:
        reported = await connection.send(MetadataRequest(None, allow_auto_topic_creation=False))
    finally:
        connection.close()
    return name not in {known for _, known, *_ in reported.topics}


async def read_records(bootstrap: str, topic: str, count: int, seconds: float = 20.0) -> list[Any]:
    """The first `count` records of `topic`, partition by partition; TimeoutError if they do not
    come. Records beyond `count` that arrive with them are returned too."""
    records: list[Any] = []
    async with _at_the_beginning(bootstrap, topic) as consumer, asyncio.timeout(seconds):
        while len(records) < count:
            records.extend(await _fetched(consumer))
    return records


async def read_all_records(bootstrap: str, topic: str, seconds: float = 60.0) -> list[Any]:
    """Every record that `topic` holds now, partition by partition."""
    records: list[Any] = []
    async with _at_the_beginning(bootstrap, topic) as consumer, asyncio.timeout(seconds):
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            records.extend(await _fetched(consumer))
    return records


@asynccontextmanager
async def _at_the_beginning(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(await known_partitions(consumer, topic))
        await consumer.seek_to_beginning()
        yield consumer
    finally:
        await consumer.stop()


async def texts_of_topics(bootstrap: str) -> dict[str, bytes]:
    return {
        f"the topic {topic.name}": b"\n".join(
            map(_written, await read_all_records(bootstrap, topic.name))
        )
        for topic in ALL_TOPICS
    }


def _written(record: Any) -> bytes:
    parts = (record.key, record.value, *(value for _, value in record.headers))
    return b"\n".join(part or b"" for part in parts)


async def known_partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Of several brokers, one may hear of a new topic a little later than the others."""
    async with asyncio.timeout(TOLD_SECONDS):
        while True:
            partitions = await partitions_of(consumer, topic)
            if partitions:
                return partitions
            await asyncio.sleep(0.05)


async def _fetched(consumer: AIOKafkaConsumer) -> list[Any]:
    fetched = await consumer.getmany(timeout_ms=500)
    return [record for part in fetched.values() for record in part]
