"""What the worker tells others, and a child with much to catch up, held back by its worker."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
)

from projection_worker.consuming import kafka_clients
from projection_worker.consuming.kafka_clients import NoticePublisher
from projection_worker.consuming.lag import WorkerLag
from projection_worker.projecting.projector import Projected
from projection_worker.records import DeadLettered, Delivered, RawRecord
from shared.read_models.notices import ChangeNotice
from tests.support.projection_facts import MIA
from tests.support.waiting import until
from tests.unit.projection_worker.consuming.test_stuck_client import (
    PLACE,
    FakeConsumer,
    FakeGenerations,
    _quickly,
    a_projector,
)

CHANGED = Projected(notices=(ChangeNotice(MIA, "parent-1", 7),))


@dataclass(frozen=True)
class Letter:
    value: bytes | None
    key: bytes | None
    headers: Sequence[tuple[str, bytes]]

    @property
    def size(self) -> int:
        parts = [self.value or b"", self.key or b"", *(value for _, value in self.headers)]
        return sum(map(len, parts))


class Producer:
    """Of the broker's answers each new producer gets the next one; None: acknowledged."""

    made: ClassVar[list["Producer"]] = []
    starts: ClassVar[list[KafkaError | None]] = []
    answers: ClassVar[list[KafkaError | None]] = []
    largest: ClassVar[int] = 1_048_576

    def __init__(self, **_options: Any) -> None:
        self.running = False
        self.sent: list[bytes] = []
        self.letters: list[Letter] = []
        self.answer = self.answers.pop(0)
        self.made.append(self)

    async def start(self) -> None:
        failure = self.starts.pop(0) if self.starts else None
        if failure is not None:
            raise failure
        self.running = True

    async def stop(self) -> None:
        self.running = False

    async def send(self, _topic: str, value: bytes, _key: bytes) -> "asyncio.Future[None]":
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.answer is None:
            self.sent.append(value)
            acknowledged.set_result(None)
        else:
            acknowledged.set_exception(self.answer)
        return acknowledged

    async def send_and_wait(
        self,
        _topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> None:
        """As aiokafka's: it asserts a key or a value, and knows a largest size."""
        assert not (key is None and value is None)
        letter = Letter(value, key, headers)
        if letter.size > self.largest:
            raise MessageSizeTooLargeError
        self.letters.append(letter)


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_clients, "AIOKafkaProducer", Producer)
    monkeypatch.setattr(Producer, "largest", Producer.largest)
    for memory in (Producer.made, Producer.starts, Producer.answers):
        memory.clear()


async def test_a_producer_that_the_broker_forgot_is_replaced() -> None:
    Producer.answers += [OutOfOrderSequenceNumber(), None]
    notifying = NoticePublisher("broker")
    await notifying.start()

    with pytest.raises(OutOfOrderSequenceNumber):
        await notifying.publish(CHANGED)
    await notifying.publish(CHANGED)

    forgotten, fresh = Producer.made
    assert (forgotten.running, fresh.running) == (False, True)
    assert len(fresh.sent) == 1


async def test_a_replacement_that_finds_no_broker_is_tried_again() -> None:
    Producer.answers += [OutOfOrderSequenceNumber(), None, None]
    notifying = NoticePublisher("broker")
    await notifying.start()
    Producer.starts.append(KafkaConnectionError())

    with pytest.raises(KafkaConnectionError):
        await notifying.publish(CHANGED)
    with pytest.raises(OutOfOrderSequenceNumber):
        await notifying.publish(CHANGED)
    await notifying.publish(CHANGED)

    assert [one.running for one in Producer.made] == [False, False, True]


async def test_a_broker_that_is_only_away_keeps_its_producer() -> None:
    Producer.answers.append(KafkaConnectionError())
    notifying = NoticePublisher("broker")
    await notifying.start()

    with pytest.raises(KafkaConnectionError):
        await notifying.publish(CHANGED)

    assert [one.running for one in Producer.made] == [True]


@pytest.mark.parametrize("key", [b"child-1", None])
async def test_a_dead_letter_that_is_too_large_for_its_topic_tells_where_it_is(
    key: bytes | None,
) -> None:
    # given a record that leaves no room for a reason
    Producer.answers.append(None)
    Producer.largest = 1_000
    notifying = NoticePublisher("broker")
    await notifying.start()
    raw = RawRecord("events", 3, 17, key, b"x" * 990, ())
    # when
    await notifying.publish(
        Projected(dead_lettered=(DeadLettered(raw, "child-1", "UndecodableEvent", ""),))
    )
    # then
    (letter,) = Producer.made[0].letters
    assert letter.value == b""
    assert dict(letter.headers) == {
        "teddy_reason": b"UndecodableEvent",
        "teddy_source": b"events/3/17",
        "teddy_left_out": b"too large to be copied",
    }


async def test_a_dead_letter_has_a_key_though_its_record_has_neither_key_nor_value() -> None:
    Producer.answers.append(None)
    notifying = NoticePublisher("broker")
    await notifying.start()
    raw = RawRecord("events", 3, 17, None, None, (("ce_type", b"odd"),))

    await notifying.publish(
        Projected(dead_lettered=(DeadLettered(raw, "", "UndecodableEvent", ""),))
    )

    (letter,) = Producer.made[0].letters
    assert (letter.key, letter.value) == (b"", None)
    assert dict(letter.headers)["ce_type"] == b"odd"


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
