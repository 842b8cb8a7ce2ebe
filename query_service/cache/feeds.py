"""What each query process reads from Kafka: change notices and alerts from now on, all erasures."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from query_service.cache.journal import FeedJournal
from shared.erasures import erasure_reader
from shared.kafka import (
    CHILD_ALERTS,
    READ_MODEL_CHANGES,
    Polling,
    Servers,
    client_options,
    partitions_of,
)
from shared.read_models.notices import (
    AlertNotice,
    ChangeNotice,
    ClearNotice,
    MalformedNotice,
    from_change_topic,
)
from shared.tasks import only_own_cancellation

PROBE_SECONDS = 2.0
"""Between two questions to the broker: aiokafka itself is silent about a broker that is gone."""

ANSWER_SECONDS = 3.0
METADATA_MS = 60_000
FIRST_BACKOFF_SECONDS = 0.5
LAST_BACKOFF_SECONDS = 10.0

Notice = ChangeNotice | AlertNotice | ClearNotice

NOTICES: Mapping[str, Callable[[bytes], Notice]] = {
    READ_MODEL_CHANGES.name: from_change_topic,
    CHILD_ALERTS.name: AlertNotice.from_json,
}

log = structlog.get_logger(__name__)


class FeedBroken(Exception):
    """Notices may have been missed."""


class FeedListener(Protocol):
    def connection_changed(self, connected: bool) -> None:
        """True: from now on every notice arrives, those before may have been missed. False: none
        arrives."""

    def received(self, notice: ChangeNotice | AlertNotice) -> None: ...


class ChangeFeed:
    """Hands `listeners` every notice that is published while it is `connected`.

    There is no consumer group and nothing is committed. A process that was away does not catch up:
    it begins at the end again and its listeners forget what they know."""

    def __init__(
        self,
        bootstrap: Servers,
        listeners: Sequence[FeedListener],
        journal: FeedJournal | None = None,
    ) -> None:
        """`journal`: where it is noted how far changes were received."""
        self._bootstrap = bootstrap
        self._listeners = listeners
        self._journal = journal
        self._polling = Polling(bootstrap)
        self._backoff = FIRST_BACKOFF_SECONDS
        self.connected = False

    async def run(self) -> None:
        """Follow the topics until cancelled; whatever breaks is begun anew after a pause."""
        while True:
            try:
                with only_own_cancellation():
                    await self._follow()
            except Exception as error:  # noqa: BLE001 - the feed begins anew, nothing is kept till then
                log.warning("change_feed_down", error=type(error).__name__, reason=str(error))
            finally:
                self._set_connected(False)
            await asyncio.sleep(self._backoff)
            self._backoff = min(self._backoff * 2, LAST_BACKOFF_SECONDS)

    async def check(self) -> None:
        """Raises FeedBroken while notices do not arrive."""
        if not self.connected:
            raise FeedBroken("not connected")

    async def _follow(self) -> None:
        async with _consumer(self._bootstrap) as consumer:
            partitions = await _all_partitions(consumer)
            consumer.assign(partitions)
            ends = await _ends(consumer, partitions)
            for partition, end in ends.items():
                consumer.seek(partition, end)
            if self._journal is not None:
                changes = (one for one in partitions if one.topic == READ_MODEL_CHANGES.name)
                self._journal.begin({one.partition: ends[one] for one in changes})
            self._set_connected(True)
            self._backoff = FIRST_BACKOFF_SECONDS
            probe_at = time.monotonic() + PROBE_SECONDS
            while True:
                self._hand_out(await self._polling.fetch(consumer))
                if time.monotonic() >= probe_at:
                    ends = await _probe(consumer, ends)
                    probe_at = time.monotonic() + PROBE_SECONDS

    def _hand_out(self, batches: Mapping[TopicPartition, Iterable[Any]]) -> None:
        """At a ClearNotice, and at what is no notice, for it may be a newer version's, the
        listeners forget what they know, and the feed goes on behind it."""
        is_to_forget = False
        for partition, records in batches.items():
            for record in records:
                notice = _read(partition.topic, record.value or b"")
                self._note(partition, record, notice)
                if notice is None:
                    is_to_forget = True
                    continue
                for listener in self._listeners:
                    listener.received(notice)
        if is_to_forget:
            self._set_connected(False)
            self._set_connected(True)

    def _note(
        self, partition: TopicPartition, record: Any, notice: ChangeNotice | AlertNotice | None
    ) -> None:
        if self._journal is not None and partition.topic == READ_MODEL_CHANGES.name:
            self._journal.passed(
                partition.partition, record.offset, cast(ChangeNotice | None, notice)
            )

    def _set_connected(self, connected: bool) -> None:
        if connected == self.connected:
            return
        self.connected = connected
        log.info("change_feed_connection", connected=connected)
        for listener in self._listeners:
            listener.connection_changed(connected)


def _read(topic: str, value: bytes) -> ChangeNotice | AlertNotice | None:
    """None: everything is to be forgotten."""
    try:
        notice = NOTICES[topic](value)
    except MalformedNotice as error:
        log.warning("notice_malformed", topic=topic, reason=str(error))
        return None
    return None if isinstance(notice, ClearNotice) else notice


@asynccontextmanager
async def _consumer(bootstrap: Servers) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap),
        enable_auto_commit=False,
        # an offset that is gone means lost notices: an error, not to be skipped over
        auto_offset_reset="none",
        isolation_level="read_committed",
        metadata_max_age_ms=METADATA_MS,
        request_timeout_ms=int(ANSWER_SECONDS * 1000),
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _all_partitions(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    partitions = await partitions_of(consumer, *NOTICES)
    for topic in NOTICES.keys() - {partition.topic for partition in partitions}:
        raise FeedBroken(f"topic {topic} does not exist; create it with `teddy topics apply`")
    return partitions


async def _ends(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    async with asyncio.timeout(ANSWER_SECONDS):
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return ends


async def _probe(
    consumer: AIOKafkaConsumer, earlier: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """The topics' ends; raises FeedBroken when the broker lost records, the consumer stands still
    behind the `earlier` ends, or there are partitions nobody reads."""
    ends = await _ends(consumer, list(earlier))
    for partition, end in ends.items():
        position = await consumer.position(partition)
        if end < position:
            raise FeedBroken(f"{partition.topic} lost records")
        if position < earlier[partition]:
            raise FeedBroken(f"{partition.topic} is read too slowly")
    if set(await _all_partitions(consumer)) != set(ends):
        raise FeedBroken("the partitions changed")
    return ends


POLL_SECONDS = 2.0
"""Between two looks for new ones. The change notice of an erasure comes sooner; this is for keys
that come back."""


class ErasuresUnknown(Exception):
    """The topic has not been read yet: a child could be shown who is erased."""


class ErasureFeed:
    """Hands `refuse` every child on the topic, from its beginning on."""

    def __init__(self, servers: Servers, refuse: Callable[[Iterable[str]], None]) -> None:
        self._servers = servers
        self._refuse = refuse
        self._read_once = False

    async def run(self) -> None:
        """Follow the topic until cancelled; whatever breaks is begun anew after a pause."""
        while True:
            try:
                with only_own_cancellation():
                    await self._follow()
            except Exception as error:  # noqa: BLE001 - the feed begins anew with the whole topic
                log.warning("erasure_feed_down", error=type(error).__name__, reason=str(error))
            await asyncio.sleep(POLL_SECONDS)

    async def check(self) -> None:
        """Raises ErasuresUnknown until the topic was read once."""
        if not self._read_once:
            raise ErasuresUnknown("the topic of erasures has not been read yet")

    async def _follow(self) -> None:
        async with erasure_reader(self._servers) as reader:
            while True:
                self._refuse(notice.child_id for notice in await reader.read())
                self._read_once = True
                await asyncio.sleep(POLL_SECONDS)
