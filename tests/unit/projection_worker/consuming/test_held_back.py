"""A child that has much to catch up is held back by its worker, and nobody else is."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from projection_worker.consuming.lag import WorkerLag
from projection_worker.projecting.projector import Projected
from projection_worker.records import Delivered
from tests.support.waiting import until
from tests.unit.projection_worker.consuming.test_stuck_client import (
    PLACE,
    FakeConsumer,
    FakeGenerations,
    _quickly,
    a_projector,
)

__all__ = ["_quickly"]


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
) -> None:
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


async def test_each_part_of_one_child_counts_as_getting_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a child that may take longer than a stall may last
    broker, generations = Broker(["lena"]), SlowForOne(rounds=10**9)
    projector, watch = a_projector(monkeypatch, broker, generations)
    noted: list[float] = []
    monkeypatch.setattr(WorkerLag, "got_on", lambda _, now: noted.append(now))
    # when
    await projector.start()
    await until(lambda: len(noted) > 3)
    await projector.stop()
    # then
    assert len(generations.projected) >= len(noted) > 3
    assert not watch.failure.done()
