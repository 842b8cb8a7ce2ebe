"""A worker's transport whose consumer, read models and publisher are stubs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from projection_worker.consuming import (
    finishing,
    health,
    kafka_clients,
    persistence,
    projector_service,
)
from projection_worker.consuming.health import WorkerWatch
from projection_worker.consuming.progress import Troubles, WorkerLag, WorkerMetrics
from projection_worker.consuming.projector_service import ProjectorService
from projection_worker.projecting.projector import Projected
from shared.clock import utc_now
from shared.kafka import CHILD_EVENTS

PLACE = TopicPartition(CHILD_EVENTS.name, 0)


def a_record(offset: int, child: str = "lena", place: TopicPartition = PLACE) -> Any:
    """As aiokafka hands it out, with nothing in it."""
    return SimpleNamespace(
        topic=place.topic,
        partition=place.partition,
        offset=offset,
        timestamp=0,
        key=child.encode(),
        value=b"{}",
        headers=(),
    )


@dataclass
class FakeConsumer:
    """One record, then nothing; what is in `hangs` never returns, and what is in `cancels` ends
    with a cancellation that nobody asked for, as when aiokafka closes a connection."""

    hangs: set[str]
    cancels: set[str] = field(default_factory=set)
    end: int = 1
    commits: int = 0
    fetches: int = 0
    sought: list[TopicPartition] = field(default_factory=list)
    _records: list[Any] = field(default_factory=lambda: [a_record(0)])

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def topics(self) -> None: ...

    def subscribe(self, _topics: list[str], listener: object) -> None: ...

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    async def getmany(self, **_options: object) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0.001)  # as long as a broker holds an empty fetch open
        self.fetches += 1
        await self._answer("getmany")
        records, self._records = self._records, []
        return {PLACE: records} if records else {}

    async def commit(self, _offsets: Any) -> None:
        self.commits += 1
        await self._answer("commit")

    async def end_offsets(self, _partitions: object) -> dict[TopicPartition, int]:
        await self._answer("end_offsets")
        return {PLACE: self.end}

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self.sought.extend(partitions)

    async def position(self, _partition: TopicPartition) -> int:
        return 1

    async def _answer(self, what: str) -> None:
        if what in self.hangs:
            await asyncio.Event().wait()
        if what in self.cancels:
            raise asyncio.CancelledError


class FakeGenerations:
    """`there`: whether a generation of these projections is."""

    def __init__(self, there: bool = True) -> None:
        self.there = there
        self.looks = 0

    async def any(self) -> bool:
        self.looks += 1
        return self.there

    async def project(self, _batch: Any) -> Projected:
        return Projected(applied=1)

    async def beat(self, _worker: str) -> None: ...

    async def dead_lettered(self) -> int:
        return 0


class Quiet:
    """NoticePublisher, list of the erased and watch of the store, with nothing to say."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, _projected: object) -> None: ...

    async def note(self, _erasures: object) -> None: ...

    async def measure(self) -> None: ...

    async def to_reapply(self) -> AsyncIterator[list[Any]]:
        nobody: list[list[Any]] = []
        for batch in nobody:
            yield batch


class Broker(FakeConsumer):
    """Hands out a record each time until they are at an end, and keeps what was committed."""

    def __init__(self, children: list[str]) -> None:
        super().__init__(set(), end=len(children))
        self.committed: list[int] = []
        self._left = [a_record(offset, child) for offset, child in enumerate(children)]

    @property
    def is_empty(self) -> bool:
        return not self._left

    async def getmany(self, **_options: object) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0.001)
        return {PLACE: [self._left.pop(0)]} if self._left else {}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed += offsets.values()


def _make_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a worker's pauses and limits are 20 ms."""
    for module, name in (
        (projector_service, "MEASURE_SECONDS"),
        (projector_service, "LOOK_SECONDS"),
        (persistence, "FIRST_PAUSE_SECONDS"),
        (finishing, "FIRST_PAUSE_SECONDS"),
        (finishing, "BROKER_SECONDS"),
        (health, "BROKER_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 0.02)


def a_projector(
    monkeypatch: pytest.MonkeyPatch,
    consumer: FakeConsumer,
    generations: FakeGenerations,
    *,
    broker_answers_others: bool = True,
    publisher: Any = None,
    erased: Any = None,
) -> tuple[ProjectorService, WorkerWatch]:
    _make_impatient(monkeypatch)
    monkeypatch.setattr(kafka_clients, "AIOKafkaConsumer", lambda **_options: consumer)
    topics = SimpleNamespace(
        look=_nothing, findings=(), answered_lately=lambda: broker_answers_others
    )
    monkeypatch.setattr(health, "TopicWatch", lambda _servers: topics)
    settings = SimpleNamespace(
        kafka="nowhere",
        worker_instance_id="worker-1",
        worker_session_timeout_seconds=10,
        worker_group="projector",
        worker_batch=100,
        worker_stall_seconds=0.2,
    )
    metrics = WorkerMetrics(CollectorRegistry())
    lag, troubles, quiet = WorkerLag(utc_now, 60), Troubles(utc_now), cast(Any, Quiet())
    given: tuple[Any, Any] = (generations, settings)
    watch = WorkerWatch(*given, lag, troubles, metrics, quiet)
    return ProjectorService(given[0], publisher or quiet, erased or quiet, given[1], watch), watch


async def _nothing() -> None:
    return None
