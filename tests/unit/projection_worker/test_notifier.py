"""What the worker tells others, also after the broker forgot who it is."""

import asyncio
from typing import Any, ClassVar

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, OutOfOrderSequenceNumber

from projection_worker import notifier
from projection_worker.notifier import Notifier
from projection_worker.projector import Projected
from shared.read_models.notices import ChangeNotice
from tests.support.projection_facts import MIA

CHANGED = Projected(notices=(ChangeNotice(MIA, "parent-1", 7),))


class Producer:
    """Of the broker's answers each new producer gets the next one; None: acknowledged."""

    made: ClassVar[list["Producer"]] = []
    starts: ClassVar[list[KafkaError | None]] = []
    answers: ClassVar[list[KafkaError | None]] = []

    def __init__(self, **_options: Any) -> None:
        self.running = False
        self.sent: list[bytes] = []
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


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "AIOKafkaProducer", Producer)
    for memory in (Producer.made, Producer.starts, Producer.answers):
        memory.clear()


async def test_a_producer_that_the_broker_forgot_is_replaced() -> None:
    Producer.answers += [OutOfOrderSequenceNumber(), None]
    notifying = Notifier("broker")
    await notifying.start()

    with pytest.raises(OutOfOrderSequenceNumber):
        await notifying.publish(CHANGED)
    await notifying.publish(CHANGED)

    forgotten, fresh = Producer.made
    assert (forgotten.running, fresh.running) == (False, True)
    assert len(fresh.sent) == 1


async def test_a_replacement_that_finds_no_broker_is_tried_again() -> None:
    Producer.answers += [OutOfOrderSequenceNumber(), None, None]
    notifying = Notifier("broker")
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
    notifying = Notifier("broker")
    await notifying.start()

    with pytest.raises(KafkaConnectionError):
        await notifying.publish(CHANGED)

    assert [one.running for one in Producer.made] == [True]
