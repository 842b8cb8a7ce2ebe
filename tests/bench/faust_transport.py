"""The cost of a record on its way to the projector: a Faust agent against a service in Faust.

The same records, the same projector, the same MongoDB, in one run; only the transport differs. See
docs/decisions/003-projector-as-a-faust-service.md.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from projection_worker.consuming.faust_app import pace
from projection_worker.records import RawRecord, deliver
from shared.clock import new_id
from shared.mongo import Mongo
from shared.read_models.indexes import ensure_read_model_indexes
from tests.support.kafka import create_topic
from tests.support.projection_facts import ended, message, registered, started
from tests.support.projection_side import GENERATION, ProjectionSide
from tests.support.stack import chosen

CHILDREN = 500
MESSAGES = 17
BATCH = 2_000
WITHIN_SECONDS = 0.25

Variant = Callable[[ProjectionSide, str, str, int], Awaitable[float]]


async def service(side: ProjectionSide, bootstrap: str, topic: str, total: int) -> float:
    """aiokafka record batches, as the worker's projector service takes them."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=new_id(), auto_offset_reset="earliest"
    )
    await consumer.start()
    done, started_at = 0, 0.0
    while done < total:
        batches = await consumer.getmany(timeout_ms=200, max_records=BATCH)
        started_at = started_at or time.perf_counter()
        records = [record for batch in batches.values() for record in batch]
        await _project(side, records)
        await consumer.commit()
        done += len(records)
    seconds = time.perf_counter() - started_at
    await consumer.stop()
    return seconds


def agent(*, acknowledged_by_hand: bool) -> Variant:
    """A Faust agent over batches: `take`, or `noack_take` with an acknowledgement by hand."""

    async def run(side: ProjectionSide, bootstrap: str, topic: str, total: int) -> float:
        app = _app(bootstrap)
        finished, marks = asyncio.Event(), {"done": 0.0, "start": 0.0}

        async def project(stream: Any) -> None:
            async for events in _taken(stream, by_hand=acknowledged_by_hand):
                marks["start"] = marks["start"] or time.perf_counter()
                await _project(side, [getattr(e, "message", e) for e in events])
                for event in events:
                    if acknowledged_by_hand:
                        event.ack()
                marks["done"] += len(events)
                if marks["done"] >= total:
                    finished.set()

        app.agent(app.topic(topic, value_serializer="raw", key_serializer="raw"))(project)
        await app.start()
        await finished.wait()
        seconds = time.perf_counter() - marks["start"]
        await app.stop()
        return seconds

    return run


def _taken(stream: Any, *, by_hand: bool) -> Any:
    if by_hand:
        return stream.noack().noack_take(BATCH, within=WITHIN_SECONDS)
    return stream.take_events(BATCH, within=WITHIN_SECONDS)


async def _project(side: ProjectionSide, records: Sequence[Any]) -> None:
    if records:
        deliveries = [
            deliver(RawRecord(r.topic, r.partition, r.offset, r.key, r.value, _headers(r)))
            for r in records
        ]
        await side.project(deliveries)


def _headers(record: Any) -> tuple[tuple[str, bytes], ...]:
    headers = record.headers
    return tuple(headers.items()) if isinstance(headers, dict) else tuple(headers)


def _app(bootstrap: str) -> faust.App:
    app = faust.App(
        f"bench-{new_id()}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=tempfile.mkdtemp(prefix="teddy-bench-"),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
    )
    pace(app)
    return app


async def fill(side: ProjectionSide, bootstrap: str, topic: str) -> int:
    """Publish the lives of 500 children; the number of records."""
    life = [registered(), started(), *(message() for _ in range(MESSAGES)), ended()]
    for number in range(CHILDREN):
        await side.happened(*(replace(event, child_id=f"child-{number:05}") for event in life))
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
    await producer.start()
    for record in side.records:
        await producer.send(topic, record.value, record.key, headers=list(record.headers))
    await producer.stop()
    return len(side.records)


async def measure(mongo_url: str, bootstrap: str) -> None:
    topic = f"bench-{new_id()}"
    await create_topic(bootstrap, topic)
    mongo = Mongo(mongo_url)
    source = ProjectionSide(mongo, mongo.database("bench_source"))
    total = await fill(source, bootstrap, topic)
    table = Table("transport", "events/s", "against the agent with take()")
    baseline = 0.0
    variants: dict[str, Variant] = {
        "Faust agent, take()": agent(acknowledged_by_hand=False),
        "Faust agent, noack_take() and ack()": agent(acknowledged_by_hand=True),
        "service in the Faust app": service,
    }
    for name, run in variants.items():
        database = mongo.database(f"bench_{new_id()[:8]}")
        await ensure_read_model_indexes(database, GENERATION)
        side = source.on(database)
        rate = total / await run(side, bootstrap, topic, total)
        baseline = baseline or rate
        table.add_row(name, f"{rate:,.0f}", f"{rate / baseline:.1f} x")
    Console().print(table)
    await mongo.close()


def main() -> None:
    with chosen()() as servers:
        asyncio.run(measure(servers.mongo_url, servers.kafka_bootstrap))


if __name__ == "__main__":
    main()
