"""When events were on their way: recorded by the event store, handed to Kafka by the relay, and
there for whoever reads the topic."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

from aiokafka import AIOKafkaConsumer

from shared.clock import parse_iso
from shared.kafka import CHILD_EVENTS

Moments = dict[tuple[str, int], float]
"""By child and version, in seconds of `time.perf_counter`."""

VERSION, RECORDED = "ce_sequence", "ce_recordedtime"


@dataclass(frozen=True, slots=True)
class Records:
    recorded: Moments = field(default_factory=dict)
    published: Moments = field(default_factory=dict)
    received: Moments = field(default_factory=dict)

    def waits(self, shown: Moments) -> Mapping[str, float]:
        """The median wait between each two points of the way, in seconds."""
        way = {
            "recorded to published": (self.recorded, self.published),
            "published to readable": (self.published, self.received),
            "readable to visible": (self.received, shown),
        }
        return {
            hop: median(later[event] - earlier[event] for event in earlier if event in later)
            for hop, (earlier, later) in way.items()
        }


@asynccontextmanager
async def watched(bootstrap: str) -> AsyncIterator[Records]:
    """All events that come while the block runs."""
    consumer = AIOKafkaConsumer(CHILD_EVENTS.name, bootstrap_servers=bootstrap)
    records = Records()
    await consumer.start()
    try:
        await consumer.seek_to_end()
        watching = asyncio.create_task(_watch(consumer, records))
        yield records
        watching.cancel()
    finally:
        await consumer.stop()


async def _watch(consumer: AIOKafkaConsumer, records: Records) -> None:
    behind = time.perf_counter() - time.time()
    async for record in consumer:
        headers = dict(record.headers)
        event = record.key.decode(), int(headers[VERSION])
        recorded = parse_iso(headers[RECORDED].decode())
        records.recorded[event] = recorded.timestamp() + behind
        records.published[event] = record.timestamp / 1_000 + behind
        records.received[event] = time.perf_counter()
