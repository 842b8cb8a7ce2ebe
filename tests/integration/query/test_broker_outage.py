"""The change feed through an outage of its broker (one of its own)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.topics import apply_topics
from query_service.cache.change_feed import ChangeFeed
from shared.read_models.notices import AlertNotice, ChangeNotice
from shared.topics import ALL_TOPICS, READ_MODEL_CHANGES
from tests.support.own_kafka import own_kafka
from tests.support.own_server import OwnServer

CHANGE = ChangeNotice("lena", "weiss", 3)


class Listener:
    def __init__(self) -> None:
        self.heard: asyncio.Queue[Any] = asyncio.Queue()

    def connection_changed(self, connected: bool) -> None:
        self.heard.put_nowait(connected)

    def received(self, notice: ChangeNotice | AlertNotice) -> None:
        self.heard.put_nowait(notice)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.heard.get(), 30)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[OwnServer]:
    async with own_kafka(tmp_path) as broker:
        yield broker


async def test_listeners_are_told_of_an_outage_and_of_its_end(broker: OwnServer) -> None:
    # given a feed that follows
    await apply_topics(broker.address, 1, ALL_TOPICS)
    listener = Listener()
    following = asyncio.create_task(ChangeFeed(broker.address, [listener]).run())
    assert await listener.next() is True
    await _publish(broker, CHANGE)
    assert await listener.next() == CHANGE
    # when the broker goes away and comes back
    await broker.stop()
    assert await listener.next() is False
    await broker.start()
    await apply_topics(broker.address, 1, ALL_TOPICS)
    # then the feed follows again
    assert await listener.next() is True
    await _publish(broker, ChangeNotice("lena", "weiss", 4))
    assert await listener.next() == ChangeNotice("lena", "weiss", 4)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def _publish(broker: OwnServer, notice: ChangeNotice) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.address)
    await producer.start()
    try:
        await producer.send_and_wait(READ_MODEL_CHANGES.name, notice.to_json(), key=b"lena")
    finally:
        await producer.stop()
