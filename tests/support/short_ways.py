"""Which files and functions of this project one piece of work passes through; and a worker between
Kafka and MongoDB, with neither: records go in, writes are counted."""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, SimpleNamespace
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
from shared.mongo import Document
from shared.read_models.generations import (
    FIRST_GENERATION,
    POINTER_COLLECTION,
    Generation,
    KeptGeneration,
    to_document,
)
from tests.support.projection_facts import registered
from tests.support.projection_side import ProjectionSide

ROOT = Path(__file__).parents[2]
SERVICES = ("command_service/", "projection_worker/", "query_service/", "shared/")


@dataclass
class Way:
    """Paths below the project, and functions as path and qualified name; without tests."""

    functions: set[tuple[str, str]] = field(default_factory=set)

    @property
    def files(self) -> set[str]:
        return {file for file, _ in self.functions}

    def __str__(self) -> str:
        return f"{len(self.files)} files, {len(self.functions)} functions"

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """A profile function of `sys.setprofile`."""
        if event != "call":
            return
        code = frame.f_code
        file = code.co_filename.removeprefix(f"{ROOT}/")
        if file.startswith(SERVICES):
            self.functions.add((file, code.co_qualname))


@contextmanager
def walked() -> Iterator[Way]:
    """What is called in this thread as long as the block."""
    way = Way()
    sys.setprofile(way.note)
    try:
        yield way
    finally:
        sys.setprofile(None)


class EmptyMongo:
    """Client and database at once. `documents`: by collection, the only one in it. `writes`: how
    many operations were asked for, by collection."""

    def __init__(self, documents: Mapping[str, Document]) -> None:
        self._documents = documents
        self.writes: dict[str, int] = {}

    def __getitem__(self, name: str) -> "_Collection":
        return _Collection(name, self._documents.get(name), self.writes)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield


class _Collection:
    def __init__(self, name: str, document: Document | None, writes: dict[str, int]) -> None:
        self._name = name
        self._document = document
        self._writes = writes

    async def find_one(self, *_: object, **__: object) -> Document | None:
        return self._document

    def find(self, *_: object, **__: object) -> "_Collection":
        return self

    async def to_list(self, _length: int | None) -> list[Document]:
        return [] if self._document is None else [self._document]

    async def bulk_write(self, operations: Sequence[Any], **_: object) -> SimpleNamespace:
        self._writes[self._name] = self._writes.get(self._name, 0) + len(operations)
        return SimpleNamespace(matched_count=0)


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
        await self._service.finished(())
