"""Notices and offsets of a batch follow beside the projection of the next one, in order."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from projection_worker.consuming.health import WorkerWatch
from projection_worker.consuming.projector_service import ProjectorService
from projection_worker.projecting.projector import Projected
from projection_worker.records import Delivered
from tests.support.stub_worker import (
    PLACE,
    Broker,
    FakeGenerations,
    Quiet,
    a_projector,
)
from tests.support.waiting import until


class Told:
    """What happened, in order; batches by their number from 1."""

    def __init__(self) -> None:
        self.log: list[str] = []


class Generations(FakeGenerations):
    """A batch comes to as many applied events as there were batches, so that it is told apart."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told
        self._batches = 0

    async def project(self, batch: list[Delivered]) -> Projected:
        self._batches += 1
        self._told.log.append(f"projected {self._batches}")
        return Projected(applied=self._batches)


class Publisher(Quiet):
    """Publishes a batch as soon as it is `let` through; before that fails `fails` times."""

    def __init__(self, told: Told, fails: int) -> None:
        self._told = told
        self._fails = fails
        self.let = asyncio.Event()

    async def publish(self, projected: Any) -> None:
        await self.let.wait()
        if self._fails:
            self._fails -= 1
            self._told.log.append(f"not published {projected.applied}")
            raise KafkaConnectionError
        self._told.log.append(f"published {projected.applied}")


class Noting(Broker):
    def __init__(self, told: Told, children: list[str]) -> None:
        super().__init__(children)
        self._told = told
        self.listener: Any = None

    def subscribe(self, _topics: list[str], listener: object) -> None:
        self.listener = listener

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await super().commit(offsets)
        self._told.log.append(f"committed {offsets[PLACE]}")


@dataclass(frozen=True)
class Side:
    told: Told
    publisher: Publisher
    broker: Noting
    projector: ProjectorService
    watch: WorkerWatch


def a_side(monkeypatch: pytest.MonkeyPatch, children: list[str], fails: int = 0) -> Side:
    """A worker that gets a record of each child, and does not publish until it is let."""
    told = Told()
    publisher, broker = Publisher(told, fails), Noting(told, children)
    made = a_projector(monkeypatch, broker, Generations(told), publisher=publisher)
    return Side(told, publisher, broker, *made)


async def test_the_next_batch_is_projected_before_the_notices_of_the_last_are_confirmed(
    monkeypatch: pytest.MonkeyPatch,
):
    # given
    side = a_side(monkeypatch, ["emma", "lena"])
    # when
    await side.projector.start()
    await until(lambda: "projected 2" in side.told.log)
    side.publisher.let.set()
    await until(lambda: "committed 2" in side.told.log)
    await side.projector.stop()
    # then
    assert side.told.log == [
        "projected 1",
        "projected 2",
        "published 1",
        "committed 1",
        "published 2",
        "committed 2",
    ]


async def test_no_third_batch_is_projected_while_notices_of_the_first_are_not_confirmed(
    monkeypatch: pytest.MonkeyPatch,
):
    # given
    side = a_side(monkeypatch, ["emma", "lena", "tom", "mia"])
    # when
    await side.projector.start()
    await until(lambda: side.broker.is_empty and "projected 2" in side.told.log)
    await until(lambda: side.watch.lag.partitions == {0: 4})
    # then
    assert side.told.log == ["projected 1", "projected 2"]
    # when
    side.publisher.let.set()
    await until(lambda: "committed 4" in side.told.log)
    await side.projector.stop()
    # then what came meanwhile is one batch
    assert side.told.log[2:] == [
        "published 1",
        "committed 1",
        "projected 3",
        "published 2",
        "committed 2",
        "published 3",
        "committed 4",
    ]


async def test_notices_that_cannot_be_published_are_published_later_without_a_second_projection(
    monkeypatch: pytest.MonkeyPatch,
):
    # given
    side = a_side(monkeypatch, ["emma"], fails=2)
    side.publisher.let.set()
    # when
    await side.projector.start()
    await until(lambda: "committed 1" in side.told.log)
    await side.projector.stop()
    # then
    assert side.told.log == [
        "projected 1",
        "not published 1",
        "not published 1",
        "published 1",
        "committed 1",
    ]
    assert side.watch.troubles.retrying_since is None


async def test_a_batch_that_is_not_confirmed_still_counts_as_lag(monkeypatch: pytest.MonkeyPatch):
    # given
    side = a_side(monkeypatch, ["emma"])
    # when
    await side.projector.start()
    await until(lambda: "projected 1" in side.told.log)
    # then
    await until(lambda: side.watch.lag.events == 1)
    # when
    side.publisher.let.set()
    # then
    await until(lambda: side.watch.lag.events == 0)
    await side.projector.stop()


async def test_before_a_partition_is_given_away_its_batches_are_finished_and_the_rest_forgotten(
    monkeypatch: pytest.MonkeyPatch,
):
    # given two batches under way, and a record that was fetched behind them
    side = a_side(monkeypatch, ["emma", "lena", "tom"])
    await side.projector.start()
    await until(lambda: side.broker.is_empty and "projected 2" in side.told.log)
    # when
    revoked = asyncio.create_task(side.broker.listener.on_partitions_revoked([PLACE]))
    side.publisher.let.set()
    await revoked
    side.told.log.append("revoked")
    await side.projector.stop()
    # then
    assert side.told.log == [
        "projected 1",
        "projected 2",
        "published 1",
        "committed 1",
        "published 2",
        "committed 2",
        "revoked",
    ]


async def test_a_worker_that_is_stopped_finishes_what_is_under_way(monkeypatch: pytest.MonkeyPatch):
    # given
    side = a_side(monkeypatch, ["emma"])
    await side.projector.start()
    await until(lambda: "projected 1" in side.told.log)
    # when
    stopping = asyncio.create_task(side.projector.stop())
    side.publisher.let.set()
    await stopping
    # then
    assert side.told.log == ["projected 1", "published 1"]
