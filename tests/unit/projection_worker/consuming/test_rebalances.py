"""Rebalances while batches are under way, with a broker that does as aiokafka: it hands out so many
records at most, reads on from what was committed, and lets a listener finish first."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from pymongo.errors import AutoReconnect

from projection_worker.consuming import projector_service
from projection_worker.projecting.projector import Projected
from projection_worker.projecting.removal import Erasure
from projection_worker.records import Delivered
from shared.kafka import CHILD_EVENTS
from shared.read_models.notices import ChangeNotice
from tests.support.stub_worker import (
    PLACE,
    FakeConsumer,
    FakeGenerations,
    Quiet,
    a_projector,
    a_record,
)
from tests.support.waiting import until


class Group(FakeConsumer):
    """`ends` records are in each of `places`."""

    def __init__(self, places: list[TopicPartition], ends: int) -> None:
        super().__init__(set(), end=ends)
        self.committed = dict.fromkeys(places, 0)
        self.assigned = set(places)
        self.listener: Any = None
        self.coordination: asyncio.Task[None] | None = None
        self._places = places
        self._at = dict.fromkeys(places, 0)
        self._settled = asyncio.Event()
        self._settled.set()

    def subscribe(self, _topics: list[str], listener: object) -> None:
        self.listener = listener

    def assignment(self) -> set[TopicPartition]:
        return set(self.assigned)

    async def stop(self) -> None:
        if self.coordination is not None:
            await self.coordination

    async def getmany(self, **options: Any) -> dict[TopicPartition, Any]:
        await asyncio.sleep(0.001)  # as long as a broker holds an empty fetch open
        await self._settled.wait()
        self.fetches += 1
        max_records: int = options["max_records"]
        found = {}
        for place in sorted(self.assigned):
            last = min(self.end, self._at[place] + max_records)
            if part := [a_record(offset, place=place) for offset in range(self._at[place], last)]:
                found[place] = part
                self._at[place], max_records = last, max_records - len(part)
        return found

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        for place, offset in offsets.items():
            assert place in self.assigned
            assert offset >= self.committed[place]
            self.committed[place] = offset

    async def end_offsets(self, _partitions: object) -> dict[TopicPartition, int]:
        return dict.fromkeys(self.assigned, self.end)

    async def position(self, place: TopicPartition) -> int:
        return self._at[place]

    async def fetched_again(self) -> None:
        before = self.fetches
        await until(lambda: self.fetches > before)

    async def rebalance(self, assigned: set[TopicPartition]) -> None:
        self._settled.clear()
        await self.listener.on_partitions_revoked(sorted(self.assigned))
        self.assigned = assigned
        self._at = dict(self.committed)
        self._settled.set()

    @property
    def is_done(self) -> bool:
        return set(self.committed.values()) == {self.end}


class Gated(FakeGenerations):
    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()
        self.projected = 0

    async def project(self, batch: Any) -> Projected:
        self.projected += len(batch)
        await self.let.wait()
        return await super().project(batch)


class GatedPublisher(Quiet):
    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.asked = 0

    async def publish(self, _projected: object) -> None:
        self.asked += 1
        await self.let.wait()


async def test_a_worker_with_a_backlog_reads_on_after_a_rebalance(monkeypatch: pytest.MonkeyPatch):
    # given one whose next batch is full
    monkeypatch.setattr(projector_service, "FETCH_SECONDS", 0)
    group, generations = Group([PLACE], 1_000), Gated()
    projector, watch = a_projector(monkeypatch, group, generations)
    await projector.start()
    await until(lambda: generations.projected > 0 and watch.lag.partitions == {0: 1_000})
    await until(lambda: group._at[PLACE] == generations.projected + 100)
    # when
    rebalance = asyncio.create_task(group.rebalance({PLACE}))
    generations.let.set()
    await rebalance
    # then
    await until(lambda: group.is_done)
    await projector.stop()


async def test_a_worker_stops_while_a_rebalance_waits_for_it(monkeypatch: pytest.MonkeyPatch):
    # given
    group, publisher = Group([PLACE], 1), GatedPublisher()
    projector, _ = a_projector(monkeypatch, group, FakeGenerations(), publisher=publisher)
    await projector.start()
    await until(lambda: publisher.asked > 0)
    # when
    stopping = asyncio.create_task(projector.stop())
    await until(lambda: projector.should_stop)
    group.coordination = asyncio.create_task(group.rebalance(set()))
    publisher.let.set()
    # then
    await asyncio.wait_for(stopping, 10)


async def test_what_waited_in_a_partition_that_another_worker_finished_is_no_lag(
    monkeypatch: pytest.MonkeyPatch,
):
    class WaitsForEver(FakeGenerations):
        async def project(self, batch: Any) -> Projected:
            await asyncio.sleep(0.001)  # as long as a database takes
            return Projected(waiting=tuple(batch))

    # given
    group = Group([PLACE], 1)
    projector, watch = a_projector(monkeypatch, group, WaitsForEver())
    await projector.start()
    await until(lambda: watch.lag.events == 1)
    # when the partition comes back, and there is nothing left to be read
    await group.rebalance(set())
    group.committed[PLACE] = 1
    await group.rebalance({PLACE})
    # then
    await until(lambda: watch.lag.events == 0)
    await projector.stop()


async def test_what_an_erasure_removed_is_said_once_however_often_it_is_tried(
    monkeypatch: pytest.MonkeyPatch,
):
    class Erasing(FakeGenerations):
        async def project(self, _batch: Any) -> Projected:
            return Projected(erasures=(Erasure("lena", 3, 7), Erasure("tom", 5, 2)))

    class Erased(Quiet):
        """Adds up what is said, then fails twice for each child."""

        def __init__(self) -> None:
            self.removed: dict[str, list[int]] = {}

        async def note(self, erasures: Any) -> None:
            (one,) = erasures
            tries = self.removed.setdefault(one.child_id, [])
            tries.append(one.removed)
            if len(tries) < 3:
                raise AutoReconnect

    # given
    group, erased = Group([PLACE], 1), Erased()
    projector, _ = a_projector(monkeypatch, group, Erasing(), erased=erased)
    # when
    await projector.start()
    await until(lambda: group.is_done)
    await projector.stop()
    # then
    assert erased.removed == {"lena": [7, 0, 0], "tom": [2, 0, 0]}


PLACES = [TopicPartition(CHILD_EVENTS.name, number) for number in range(3)]


class Unreliable:
    """Read models and a publisher that take their time, fail, and let some records wait."""

    def __init__(self, chance: random.Random) -> None:
        self.published: set[tuple[int, int]] = set()
        self._chance = chance

    async def project(self, batch: list[Delivered]) -> Projected:
        await self._take_time(AutoReconnect("away"))
        waits = len(batch) // 2 if self._chance.random() < 0.2 else 0
        done = batch[: len(batch) - waits]
        notices = [ChangeNotice(str(one.raw.partition), "p", one.raw.offset, False) for one in done]
        return Projected(tuple(notices), waiting=tuple(batch[len(done) :]))

    async def publish(self, projected: Projected) -> None:
        await self._take_time(KafkaConnectionError())
        self.published |= {(int(one.child_id), one.version) for one in projected.notices}

    async def _take_time(self, error: Exception) -> None:
        await asyncio.sleep(self._chance.choice((0, 0.001, 0.004)))  # as servers do
        if self._chance.random() < 0.05:
            raise error


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_happens_what_is_committed_was_published_and_all_is(
    seed: int, monkeypatch: pytest.MonkeyPatch
):
    # given
    chance = random.Random(seed)
    unreliable = Unreliable(chance)
    generations, publisher = FakeGenerations(), Quiet()
    monkeypatch.setattr(generations, "project", unreliable.project)
    monkeypatch.setattr(publisher, "publish", unreliable.publish)
    group = Group(PLACES, 300)
    projector, watch = a_projector(monkeypatch, group, generations, publisher=publisher)
    await projector.start()
    # when
    for _ in range(12):
        if group.assigned and not all(group.committed[one] == 300 for one in group.assigned):
            await group.fetched_again()
        await group.rebalance({place for place in PLACES if chance.random() < 0.8})
    await group.rebalance(set(PLACES))
    await until(lambda: group.is_done)
    await projector.stop()
    # then
    committed = {(one.partition, offset) for one in PLACES for offset in range(300)}
    assert unreliable.published >= committed
    assert not watch.failure.done()
