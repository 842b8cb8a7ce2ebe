"""What the worker tells others, also after the broker forgot who it is."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
)

from projection_worker.consuming import kafka_clients
from projection_worker.consuming.kafka_clients import NoticePublisher
from projection_worker.projecting.projector import Projected
from projection_worker.records import DeadLettered, RawRecord
from shared.read_models.notices import ChangeNotice
from tests.support.projection_facts import MIA

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


async def publisher(*answers: KafkaError | None) -> NoticePublisher:
    """One that is started; its producers get `answers`."""
    Producer.answers += answers
    notifying = NoticePublisher("broker")
    await notifying.start()
    return notifying


async def test_a_producer_that_the_broker_forgot_is_replaced():
    notifying = await publisher(OutOfOrderSequenceNumber(), None)

    with pytest.raises(OutOfOrderSequenceNumber):
        await notifying.publish(CHANGED)
    await notifying.publish(CHANGED)

    forgotten, fresh = Producer.made
    assert (forgotten.running, fresh.running) == (False, True)
    assert len(fresh.sent) == 1


async def test_a_replacement_that_finds_no_broker_is_tried_again():
    notifying = await publisher(OutOfOrderSequenceNumber(), None, None)
    Producer.starts.append(KafkaConnectionError())

    with pytest.raises(KafkaConnectionError):
        await notifying.publish(CHANGED)
    with pytest.raises(OutOfOrderSequenceNumber):
        await notifying.publish(CHANGED)
    await notifying.publish(CHANGED)

    assert [one.running for one in Producer.made] == [False, False, True]


async def test_a_broker_that_is_only_away_keeps_its_producer():
    notifying = await publisher(KafkaConnectionError())

    with pytest.raises(KafkaConnectionError):
        await notifying.publish(CHANGED)

    assert [one.running for one in Producer.made] == [True]


@pytest.mark.parametrize("key", [b"child-1", None])
async def test_a_dead_letter_that_is_too_large_for_its_topic_tells_where_it_is(key: bytes | None):
    # given a record that leaves no room for a reason
    Producer.largest = 1_000
    notifying = await publisher(None)
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


async def test_a_dead_letter_has_a_key_though_its_record_has_neither_key_nor_value():
    notifying = await publisher(None)
    raw = RawRecord("events", 3, 17, None, None, (("ce_type", b"odd"),))

    await notifying.publish(
        Projected(dead_lettered=(DeadLettered(raw, "", "UndecodableEvent", ""),))
    )

    (letter,) = Producer.made[0].letters
    assert (letter.key, letter.value) == (b"", None)
    assert dict(letter.headers)["ce_type"] == b"odd"
