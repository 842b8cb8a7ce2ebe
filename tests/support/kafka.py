"""An independent look at a Kafka topic, and topics of a test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.topics import apply_topics
from shared.topics import Topic


@asynccontextmanager
async def own_topic(bootstrap: str, name: str, partitions: int = 4) -> AsyncIterator[str]:
    """A topic that exists as long as the block."""
    await create_topic(bootstrap, name, partitions)
    yield name
    await delete_topic(bootstrap, name)


async def create_topic(bootstrap: str, name: str, partitions: int = 4) -> None:
    await apply_topics(bootstrap, 1, [Topic(name, "child_id", partitions, -1)])


async def delete_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()


async def read_records(bootstrap: str, topic: str, count: int, seconds: float = 20.0) -> list[Any]:
    """The first `count` records of `topic`, partition by partition; TimeoutError if they do not
    come. Records beyond `count` that arrive with them are returned too."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        await consumer.topics()  # only this fills what partitions_for_topic looks up
        partitions = consumer.partitions_for_topic(topic) or set()
        consumer.assign([TopicPartition(topic, partition) for partition in partitions])
        await consumer.seek_to_beginning()
        records: list[Any] = []
        async with asyncio.timeout(seconds):
            while len(records) < count:
                fetched = await consumer.getmany(timeout_ms=500)
                records.extend(record for part in fetched.values() for record in part)
        return records
    finally:
        await consumer.stop()
