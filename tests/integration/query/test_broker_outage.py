"""The change feed and a query process through an outage of their broker (one of their own)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.topics import apply_topics
from query_service.cache.feeds import ChangeFeed
from shared.auth.access import Principal, Role
from shared.kafka import ALL_TOPICS, READ_MODEL_CHANGES
from shared.keyring.key_file import read_key_file
from shared.read_models.notices import AlertNotice, ChangeNotice
from shared.signing import ConsistencyTokens
from tests.integration.query.conftest import QueryWorld, query_process
from tests.support.own_servers import OwnServer, own_kafka

WEISS = Principal("weiss", Role.PARENT)
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


async def test_without_a_broker_a_query_process_stays_ready_and_keeps_tokens(
    world: QueryWorld, broker: OwnServer
) -> None:
    # given a process that heard of changes
    await apply_topics(broker.address, 1, ALL_TOPICS)
    await world.put_child("lena", "Lena", parent_id="weiss", age=7)
    environment = world.environment(TEDDY_KAFKA_BOOTSTRAP=broker.address)
    tokens = ConsistencyTokens(read_key_file(world.directory / "keys.json").signature_key)
    async with query_process(environment), world.client(WEISS) as client:
        await world.until_ready(kafka="up", erasures="up")
        # when
        await broker.stop()
        await world.until_ready(kafka="down", erasures="up")
        ready = await client.get("/health/ready")
        first, second = [await client.get("/v1/children/lena") for _ in range(2)]
        await world.put_child("lena", "Lena", parent_id="weiss", age=8, version=2)
        token = {"Consistency-Token": tokens.issue("lena", 2)}
        newest = await client.get("/v1/children/lena", headers=token)
    # then
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["degraded"] == ["kafka"]
    assert first.json()["age"] == second.json()["age"] == 7
    assert second.headers["Cache-Status"] == "teddy-query; hit; detail=change-feed-down"
    assert newest.json()["age"] == 8


async def _publish(broker: OwnServer, notice: ChangeNotice) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        await producer.send_and_wait(READ_MODEL_CHANGES.name, notice.to_json(), key=b"lena")
