"""Reads the topic of erasures from its beginning to where it ends now."""

import asyncio
from datetime import datetime

import structlog
from aiokafka import AIOKafkaConsumer
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


async def read_erasures(servers: Servers) -> dict[str, datetime]:
    """When each child that the topic tells of was erased, by child.

    Raises KafkaError, also after a minute.
    """
    consumer = AIOKafkaConsumer(
        **client_options(servers),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        async with asyncio.timeout(READ_SECONDS):
            await consumer.start()
            return await _read(consumer)
    except TimeoutError:
        raise KafkaTimeoutError(f"{CHILD_ERASURES.name} was not read in time") from None
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer) -> dict[str, datetime]:
    partitions = await partitions_of(consumer, CHILD_ERASURES.name)
    if not partitions:
        raise NoErasureTopic(f"no topic {CHILD_ERASURES.name}; create it with `teddy topics apply`")
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    await consumer.seek_to_beginning(*partitions)
    erased: dict[str, datetime] = {}
    # a compacted topic has holes: what counts is where the consumer stands
    while any([await consumer.position(one) < end for one, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=FETCH_MS)).values():
            for record in records:
                try:
                    notice = ErasureNotice.from_json(record.value or b"")
                except MalformedErasure:
                    log.warning("erasure_unreadable", offset=record.offset)
                else:
                    erased[notice.child_id] = notice.at
    return erased
