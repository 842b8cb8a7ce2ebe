"""A worker whose client of the broker hangs, as aiokafka's does for a partition that is gone, and
one with a child that has much to catch up."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from projection_worker.consuming import health, kafka_clients, projector_service
from projection_worker.consuming.health import WorkerWatch
from projection_worker.consuming.progress import Stalled, Troubles, WorkerLag, WorkerMetrics
from projection_worker.consuming.projector_service import ProjectorService
from projection_worker.projecting.projector import Projected
from projection_worker.records import Delivered
from shared.clock import utc_now
from shared.kafka import CHILD_EVENTS
from tests.support.waiting import until

PLACE = TopicPartition(CHILD_EVENTS.name, 0)


_RECORD = {
    "topic": CHILD_EVENTS.name,
    "partition": 0,
    "key": b"lena",
    "value": b"{}",
    "headers": (),
}


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
    _records: list[Any] = field(
        default_factory=lambda: [SimpleNamespace(offset=0, timestamp=0, **_RECORD)]
    )

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


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROKER_SECONDS", "MEASURE_SECONDS", "LOOK_SECONDS", "FIRST_PAUSE_SECONDS"):
        monkeypatch.setattr(projector_service, name, 0.02)
    monkeypatch.setattr(health, "BROKER_SECONDS", 0.02)


def a_projector(
    monkeypatch: pytest.MonkeyPatch,
    consumer: FakeConsumer,
    generations: FakeGenerations,
    *,
    broker_answers_others: bool = True,
) -> tuple[ProjectorService, WorkerWatch]:
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
    return ProjectorService(given[0], quiet, quiet, given[1], watch), watch


async def _nothing() -> None:
    return None


async def ends_saying(said: str, projector: ProjectorService, watch: WorkerWatch) -> None:
    """Once it is started, the worker stalls for a reason that matches `said`."""
    await projector.start()
    try:
        with pytest.raises(Stalled, match=said):
            await asyncio.wait_for(asyncio.shield(watch.failure), 10)
    finally:
        await projector.stop()


@pytest.mark.parametrize(
    ("hangs", "said"),
    [("commit", "offsets could not be committed"), ("end_offsets", "lag could not be measured")],
)
async def test_a_worker_whose_client_hangs_for_long_ends_with_a_reason(
    hangs: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    consumer = FakeConsumer({hangs})
    projector, watch = a_projector(monkeypatch, consumer, FakeGenerations())
    await ends_saying(said, projector, watch)


async def test_a_commit_that_works_in_the_end_is_no_stall(monkeypatch: pytest.MonkeyPatch):
    # given
    consumer = FakeConsumer({"commit"})
    projector, watch = a_projector(
        monkeypatch, consumer, FakeGenerations(), broker_answers_others=False
    )
    await projector.start()
    await until(lambda: consumer.commits > 1)
    # when
    consumer.hangs.clear()
    so_far = consumer.commits
    # then
    await until(lambda: consumer.commits > so_far)
    assert not watch.failure.done()
    await projector.stop()


async def test_while_the_broker_answers_nobody_the_worker_waits(monkeypatch: pytest.MonkeyPatch):
    # given
    consumer = FakeConsumer({"commit", "end_offsets"})
    projector, watch = a_projector(
        monkeypatch, consumer, FakeGenerations(), broker_answers_others=False
    )
    # when it lasts longer than a stall
    await projector.start()
    await until(lambda: consumer.commits > 12)
    # then
    assert not watch.failure.done()
    await projector.stop()


async def test_a_worker_without_a_generation_names_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch,
):
    # given
    generations = FakeGenerations(there=False)
    projector, watch = a_projector(monkeypatch, FakeConsumer(set()), generations)
    await projector.start()
    await until(lambda: generations.looks > 1)
    # then
    (finding,) = watch.findings()
    assert finding.startswith("waits for a rebuild")
    assert finding.endswith("run `teddy replay rebuild`")
    # when a rebuild begins one
    generations.there = True
    # then
    await until(lambda: watch.findings() == ())
    await projector.stop()


@pytest.mark.parametrize(
    ("cancels", "said"),
    [
        ("commit", "offsets could not be committed"),
        ("end_offsets", "lag could not be measured"),
        ("getmany", "ended by KafkaConnectionError"),
    ],
)
async def test_a_cancellation_inside_the_client_ends_no_task_without_a_word(
    cancels: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    consumer = FakeConsumer(set(), {cancels})
    projector, watch = a_projector(monkeypatch, consumer, FakeGenerations())
    await ends_saying(said, projector, watch)


async def test_an_error_that_nobody_foresaw_ends_the_worker(monkeypatch: pytest.MonkeyPatch):
    class Broken(FakeGenerations):
        async def project(self, _batch: Any) -> Projected:
            raise AssertionError("nobody foresaw it")

    projector, watch = a_projector(monkeypatch, FakeConsumer(set()), Broken())
    await ends_saying("ended by AssertionError", projector, watch)


async def test_a_partition_that_ends_earlier_than_before_is_read_from_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
):
    # given a worker that measured
    consumer = FakeConsumer(set(), end=7)
    projector, watch = a_projector(monkeypatch, consumer, FakeGenerations())
    await projector.start()
    await until(lambda: watch.lag.events > 0)
    assert consumer.sought == []
    # when the topic was made anew
    consumer.end = 2
    # then
    await until(lambda: consumer.sought == [PLACE])
    await projector.stop()


async def test_what_waits_on_each_partition_is_measured(monkeypatch: pytest.MonkeyPatch):
    projector, watch = a_projector(monkeypatch, FakeConsumer(set(), end=7), FakeGenerations())
    await projector.start()
    await until(lambda: watch.lag.partitions == {0: 6})
    await projector.stop()


async def test_a_worker_that_lost_the_broker_says_nothing_of_partitions_any_more(
    monkeypatch: pytest.MonkeyPatch,
):
    # given
    consumer = FakeConsumer(set(), end=7)
    projector, watch = a_projector(
        monkeypatch, consumer, FakeGenerations(), broker_answers_others=False
    )
    await projector.start()
    await until(lambda: watch.lag.partitions == {0: 6})
    # when
    consumer.hangs.add("end_offsets")
    # then
    await until(lambda: watch.lag.partitions == {})
    await projector.stop()


class Broker(FakeConsumer):
    """Hands out a record each time until they are at an end, and keeps what was committed."""

    def __init__(self, children: list[str]) -> None:
        super().__init__(set(), end=len(children))
        self.committed: list[int] = []
        self._left = [
            SimpleNamespace(
                topic=PLACE.topic,
                partition=PLACE.partition,
                offset=offset,
                timestamp=0,
                key=child.encode(),
                value=b"{}",
                headers=(),
            )
            for offset, child in enumerate(children)
        ]

    async def getmany(self, **_options: object) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0.001)
        return {PLACE: [self._left.pop(0)]} if self._left else {}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed += offsets.values()


class SlowForOne(FakeGenerations):
    """`lena` needs `rounds` more."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.projected: list[list[str]] = []

    async def project(self, batch: list[Delivered]) -> Projected:
        self.projected.append([one.child_id for one in batch])
        done = await super().project(batch)
        if not any(one.child_id == "lena" for one in batch):
            return done
        self.rounds -= 1
        waiting = tuple(one for one in batch if one.child_id == "lena") if self.rounds else ()
        return replace(done, waiting=waiting)


async def test_others_are_projected_while_one_waits_and_offsets_stay_before_it(
    monkeypatch: pytest.MonkeyPatch,
):
    # given a child with four parts to catch up, and others behind it in the same partition
    broker, generations = Broker(["emma", "lena", "tom", "mia"]), SlowForOne(rounds=4)
    projector, watch = a_projector(monkeypatch, broker, generations)
    # when
    await projector.start()
    await until(lambda: 4 in broker.committed)
    await projector.stop()
    # then
    assert generations.projected == [["emma"], ["lena"], ["lena", "tom"], ["lena", "mia"], ["lena"]]
    assert broker.committed == [1, 1, 1, 1, 4]
    assert not watch.failure.done()


async def test_each_part_of_one_child_counts_as_getting_on(monkeypatch: pytest.MonkeyPatch):
    # given a child that may take longer than a stall may last
    broker, generations = Broker(["lena"]), SlowForOne(rounds=10**9)
    projector, watch = a_projector(monkeypatch, broker, generations)
    noted: list[float] = []
    monkeypatch.setattr(WorkerLag, "progressed", lambda _, now: noted.append(now))
    # when
    await projector.start()
    await until(lambda: len(noted) > 3)
    await projector.stop()
    # then
    assert len(generations.projected) >= len(noted) > 3
    assert not watch.failure.done()
