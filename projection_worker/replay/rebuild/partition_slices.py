"""Builds read models from the topic: the worker's way, from the first record to the last."""

from collections.abc import Sequence
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo.errors import PyMongoError

from projection_worker.delivery import Delivered, deliver, raw_record
from projection_worker.projector import Projector
from projection_worker.read_model_store import StaleBatch
from projection_worker.replay.rebuild.ledger import Done, Ledger, Slice
from projection_worker.replay.rebuild.pace import Pace
from projection_worker.replay.rebuild.patience import patiently
from shared.kafka import Servers, client_options
from shared.topics import CHILD_EVENTS

BATCH_RECORDS = 2_000
WAIT_MS = 200


class PartitionSliceBuilder:
    """Holes are refilled from the event store; children the topic has no record of stay out."""

    def __init__(
        self, bootstrap: Servers, projector: Projector, ledger: Ledger, pace: Pace
    ) -> None:
        self._bootstrap = bootstrap
        self._projector = projector
        self._ledger = ledger
        self._pace = pace

    async def build(self, one: Slice) -> None:
        """From where the slice stands to its end. Raises KafkaError, PyMongoError, StaleBatch."""
        consumer = AIOKafkaConsumer(
            **client_options(self._bootstrap),
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            await self._build(one, consumer)
        finally:
            await consumer.stop()
        await self._ledger.finish(one, Done.BUILT)

    async def _build(self, one: Slice, consumer: AIOKafkaConsumer) -> None:
        place, end = TopicPartition(CHILD_EVENTS.name, one.number), int(one.end)
        consumer.assign([place])
        consumer.seek(place, int(one.reached or one.begin))
        while await consumer.position(place) < end:
            fetched = await consumer.getmany(timeout_ms=WAIT_MS, max_records=BATCH_RECORDS)
            records = [record for part in fetched.values() for record in part]
            if not records:
                continue
            batch = [deliver(raw_record(record)) for record in records]
            await self._project(batch)
            reached = await consumer.position(place)
            await self._ledger.advance(one, str(reached), min(reached, end) - int(one.begin))
            await self._pace.keep(len(records))

    async def _project(self, batch: Sequence[Delivered]) -> None:
        """Again with what has to wait for the rest of a large hole."""
        while batch:
            project = partial(self._projector.project, batch)
            batch = (await patiently(project, StaleBatch, PyMongoError)).waiting
