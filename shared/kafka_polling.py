"""How consumers ask for records: at a broker that holds an empty fetch open, and at one that does
not.

Apache Kafka answers a fetch once there is something to send (long polling); aiokafka fetches ahead
and costs nothing while nothing arrives. A broker that answers at once, as the light one of the
local stack does, would be asked thousands of times a second.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.kafka import KafkaServers, Servers

Batches = Mapping[TopicPartition, Sequence[Any]]

WAIT_MS = 200
"""The longest wait for records; then the caller looks around whether it is to stop."""

FETCH_MS = 5
PAUSE_SECONDS = 0.03


class Polling(Protocol):
    async def fetch(
        self, consumer: AIOKafkaConsumer, most: int | None = None, *, at_once: bool = False
    ) -> Batches:
        """What has arrived in the assigned partitions, at most `most` records; empty after a
        while, or `at_once`, when nothing has."""


class LongPolling:
    async def fetch(
        self, consumer: AIOKafkaConsumer, most: int | None = None, *, at_once: bool = False
    ) -> Batches:
        wait_ms = 0 if at_once else WAIT_MS
        batches: Batches = await consumer.getmany(timeout_ms=wait_ms, max_records=most)
        return batches


class PacedPolling:
    """Outside of `fetch` partitions are paused: aiokafka asks for nothing."""

    async def fetch(
        self, consumer: AIOKafkaConsumer, most: int | None = None, *, at_once: bool = False
    ) -> Batches:
        assigned = consumer.assignment()
        consumer.resume(*assigned)
        try:
            batches: Batches = await consumer.getmany(timeout_ms=FETCH_MS, max_records=most)
        finally:
            consumer.pause(*(assigned & consumer.assignment()))
        if not batches and not at_once:
            await asyncio.sleep(PAUSE_SECONDS)
        return batches


def polling_of(servers: Servers) -> Polling:
    """The one that suits these brokers."""
    paced = isinstance(servers, KafkaServers) and not servers.long_polling
    return PacedPolling() if paced else LongPolling()
