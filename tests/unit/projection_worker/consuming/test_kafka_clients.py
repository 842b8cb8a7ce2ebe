"""What the worker tells others, also after the broker forgot who it is."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
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
from projection_worker.consuming.kafka_clients import NoticePublisher, WaitingRecords
from projection_worker.projecting.projector import Projected
from projection_worker.records import DeadLettered, Delivered, RawRecord
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


FIRST, OTHER = TopicPartition("events", 0), TopicPartition("events", 1)


class Fetched:
    """As a consumer hands it out, of which only the offset counts."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


def record(place: TopicPartition, offset: int) -> Delivered:
    raw = RawRecord(place.topic, place.partition, offset, b"mia", b"{}", ())
    return Delivered("mia", "partition-0", raw, None)


def test_a_partition_is_done_up_to_the_first_record_that_waits() -> None:
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4), Fetched(9)], OTHER: [Fetched(7)]})

    waiting.records = (record(FIRST, 8), record(FIRST, 5))

    assert waiting.begins() == {FIRST: 5}
    assert waiting.offsets() == {FIRST: 5, OTHER: 8}


def test_what_was_read_meanwhile_is_done_with_as_soon_as_nothing_waits() -> None:
    # given a record that waits, and others that were read behind it
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4)]})
    waiting.records = (record(FIRST, 4),)
    waiting.committed()
    waiting.fetched({FIRST: [Fetched(5), Fetched(6)]})
    assert waiting.offsets() == {FIRST: 4}
    # when
    waiting.records = ()
    # then
    assert waiting.offsets() == {FIRST: 7}
    waiting.committed()
    assert waiting.offsets() == {}


def test_what_waits_in_a_partition_that_is_given_away_is_the_other_workers() -> None:
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4)], OTHER: [Fetched(7)]})
    waiting.records = (record(FIRST, 4), record(OTHER, 7))

    waiting.revoked({FIRST})

    assert [one.raw.partition for one in waiting.records] == [OTHER.partition]
    assert waiting.offsets() == {OTHER: 7}


def test_a_partition_that_begins_anew_is_never_committed_beyond_what_was_read() -> None:
    # given a topic that lost its records while one of them waits
    waiting = WaitingRecords()
    waiting.records = (record(FIRST, 900),)

    waiting.fetched({FIRST: [Fetched(0)]})

    assert waiting.offsets() == {FIRST: 1}
