"""Notices of erasures and the topic that carries them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from shared.clock import iso, parse_iso
from shared.event_store.envelope import RecordedEvent
from shared.events.child import ChildErased
from shared.kafka import CHILD_ERASURES, Servers, client_options, partitions_of

ERASED = ChildErased.__name__


class MalformedErasure(Exception):
    """A record on the topic of erasures is none."""


@dataclass(frozen=True, slots=True)
class ErasureNotice:
    """`child_id` is the record's key: of several the topic keeps the last."""

    child_id: str
    at: datetime

    @staticmethod
    def of(event: RecordedEvent) -> "ErasureNotice":
        """Of a ChildErased."""
        return ErasureNotice(event.child_id, event.occurred_at)

    def to_json(self) -> bytes:
        return orjson.dumps({"child_id": self.child_id, "at": iso(self.at)})

    @staticmethod
    def from_json(value: bytes) -> "ErasureNotice":
        """Raises MalformedErasure."""
        try:
            content = orjson.loads(value)
            return ErasureNotice(str(content["child_id"]), parse_iso(content["at"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedErasure("not an erasure") from error


FETCH_MS = 200
READ_SECONDS = 60.0

log = structlog.get_logger(__name__)


class NoErasureTopic(KafkaError):  # type: ignore[misc] # aiokafka has no types
    """The broker does not know the topic, so nobody knows who is erased."""


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
        # a compacted topic has gaps: what counts is where the consumer stands
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
    """When each child on the topic was erased, by child.

    Raises KafkaError, also after a minute.
    """
    try:
        async with asyncio.timeout(READ_SECONDS), erasure_reader(servers) as reader:
            return {notice.child_id: notice.at for notice in await reader.read()}
    except TimeoutError:
        raise KafkaTimeoutError(f"{CHILD_ERASURES.name} was not read in time") from None
