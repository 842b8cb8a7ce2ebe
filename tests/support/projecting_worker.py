"""The worker between Kafka and MongoDB, with neither: records go in, writes are counted."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from projection_worker.consuming import kafka_clients
from projection_worker.consuming.health import WorkerWatch
from projection_worker.consuming.progress import Troubles, WorkerLag, WorkerMetrics
from projection_worker.consuming.projector_service import ProjectorService
from projection_worker.projecting.generations import KeptGenerations
from projection_worker.projections import registry
from shared.clock import utc_now
from shared.events.personal import Personal
from shared.kafka import CHILD_EVENTS
from shared.read_models.generations import (
    FIRST_GENERATION,
    POINTER_COLLECTION,
    Generation,
    KeptGeneration,
    to_document,
)
from tests.fakes.empty_mongo import EmptyMongo
from tests.support.projection_facts import registered
from tests.support.projection_side import ProjectionSide

PLACE = TopicPartition(CHILD_EVENTS.name, 0)
KEPT = KeptGeneration(Generation(FIRST_GENERATION), registry.VERSION)
POINTER = {"generation": FIRST_GENERATION, "kept": [to_document(KEPT)], "held": False}
SETTINGS = SimpleNamespace(
    kafka="nowhere",
    worker_instance_id="worker-1",
    worker_session_timeout_seconds=10,
    worker_group="projector",
    worker_batch=100,
    worker_stall_seconds=60,
)


class Quiet:
    """Consumer, publisher of notices, and list of the erased, to whom nothing matters."""

    async def commit(self, _offsets: object) -> None: ...

    async def publish(self, _projected: object) -> None: ...

    async def note(self, _erasures: object) -> None: ...


class ProjectingWorker:
    """`mongo` has a first generation and no child, whatever is written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mongo = EmptyMongo({POINTER_COLLECTION: POINTER})
        quiet: Any = Quiet()
        monkeypatch.setattr(kafka_clients, "AIOKafkaConsumer", lambda **_options: quiet)
        settings, mongo = cast(Any, SETTINGS), cast(Any, self.mongo)
        self._side = ProjectionSide(mongo, mongo)
        generations = KeptGenerations(mongo, self._side.another_projector)
        lag, troubles = WorkerLag(utc_now, 60), Troubles(utc_now)
        metrics = WorkerMetrics(CollectorRegistry())
        watch = WorkerWatch(generations, settings, lag, troubles, metrics, quiet)
        self._service = ProjectorService(generations, quiet, quiet, settings, watch)

    async def registration(self, child_id: str) -> Any:
        """The record of a new child, as the consumer hands it out."""
        named = replace(
            registered(), child_id=child_id, name=Personal("Mia"), udid=Personal(child_id)
        )
        await self._side.happened(named)
        raw = self._side.records[-1]
        return SimpleNamespace(
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            timestamp=0,
            key=raw.key,
            value=raw.value,
            headers=raw.headers,
        )

    async def carry_out(self, record: Any) -> None:
        """Project the record and commit its offset."""
        await self._service.carry_out({PLACE: [record]})
