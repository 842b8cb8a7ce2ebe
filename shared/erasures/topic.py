"""Reads the topic of erasures from its beginning to where it ends now, and on from there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from shared.erasures.notice import ErasureNotice, MalformedErasure
from shared.kafka import Servers, client_options
from shared.topic_partitions import partitions_of
from shared.topics import CHILD_ERASURES

FETCH_MS = 200
READ_SECONDS = 60.0

log = structlog.get_logger(__name__)


class NoErasureTopic(KafkaError):  # type: ignore[misc] # aiokafka has no types
    """The broker does not know the topic, so nobody can tell who is erased."""


class ErasureReader:
    """Stands somewhere on the topic. Open it with `erasure_reader`."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        self._consumer = consumer
        self._partitions = partitions

    async def read(self) -> list[ErasureNotice]:
        """What came since the last time, the first time all. Raises KafkaError."""
        found: list[ErasureNotice] = []
        ends = await self._consumer.end_offsets(self._partitions)
        self._consumer.resume(*self._partitions)
        # a compacted topic has holes: what counts is where the consumer stands
        while any([await self._consumer.position(one) < end for one, end in ends.items()]):
            for records in (await self._consumer.getmany(timeout_ms=FETCH_MS)).values():
                for record in records:
                    try:
                        found.append(ErasureNotice.from_json(record.value or b""))
                    except MalformedErasure:
                        log.warning("erasure_unreadable", offset=record.offset)
        self._consumer.pause(*self._partitions)  # aiokafka would go on asking in between
        return found


@asynccontextmanager
async def erasure_reader(servers: Servers) -> AsyncIterator[ErasureReader]:
    """A reader at the beginning of the topic. Raises KafkaError."""
    consumer = AIOKafkaConsumer(
        **client_options(servers), enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        await consumer.start()
        partitions = await partitions_of(consumer, CHILD_ERASURES.name)
        if not partitions:
            missing = f"no topic {CHILD_ERASURES.name}; create it with `teddy topics apply`"
            raise NoErasureTopic(missing)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        yield ErasureReader(consumer, partitions)
    finally:
        await consumer.stop()


async def read_erasures(servers: Servers) -> dict[str, datetime]:
    """When each child that the topic tells of was erased, by child.

    Raises KafkaError, also after a minute.
    """
    try:
        async with asyncio.timeout(READ_SECONDS), erasure_reader(servers) as reader:
            return {notice.child_id: notice.at for notice in await reader.read()}
    except TimeoutError:
        raise KafkaTimeoutError(f"{CHILD_ERASURES.name} was not read in time") from None
