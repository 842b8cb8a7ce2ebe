"""A worker whose client of the broker hangs, as aiokafka's does for a partition that is gone, and
one with a child that has much to catch up."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from projection_worker.consuming.health import WorkerWatch
from projection_worker.consuming.progress import Stalled, WorkerLag
from projection_worker.consuming.projector_service import ProjectorService
from projection_worker.projecting.projector import Projected
from projection_worker.records import Delivered
from tests.support.stub_worker import (
    PLACE,
    Broker,
    FakeConsumer,
    FakeGenerations,
    a_projector,
)
from tests.support.waiting import until


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


class SlowForOne(FakeGenerations):
    """`lena` needs `rounds` more, the first of which lasts until `broker` has no more records."""

    def __init__(self, rounds: int, broker: Broker) -> None:
        super().__init__()
        self.rounds = rounds
        self.broker = broker
        self.projected: list[list[str]] = []

    async def project(self, batch: list[Delivered]) -> Projected:
        self.projected.append([one.child_id for one in batch])
        done = await super().project(batch)
        if not any(one.child_id == "lena" for one in batch):
            return done
        await until(lambda: self.broker.is_empty)
        self.rounds -= 1
        waiting = tuple(one for one in batch if one.child_id == "lena") if self.rounds else ()
        return replace(done, waiting=waiting)


async def test_others_are_projected_while_one_waits_and_offsets_stay_before_it(
    monkeypatch: pytest.MonkeyPatch,
):
    # given a child with four parts to catch up, and others behind it in the same partition
    broker = Broker(["emma", "lena", "tom", "mia"])
    generations = SlowForOne(4, broker)
    projector, watch = a_projector(monkeypatch, broker, generations)
    # when
    await projector.start()
    await until(lambda: 4 in broker.committed)
    await projector.stop()
    # then
    assert generations.projected == [["emma"], ["lena"], ["lena", "tom", "mia"], ["lena"], ["lena"]]
    assert broker.committed == [1, 1, 1, 1, 4]
    assert not watch.failure.done()


async def test_each_part_of_one_child_counts_as_getting_on(monkeypatch: pytest.MonkeyPatch):
    # given a child that may take longer than a stall may last
    broker = Broker(["lena"])
    generations = SlowForOne(10**9, broker)
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
