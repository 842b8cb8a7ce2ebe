"""The change feed through an outage of its broker (an embedded one of its own)."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.topics import apply_topics
from query_service.cache.change_feed import ChangeFeed
from shared.read_models.notices import AlertNotice, ChangeNotice
from shared.topics import ALL_TOPICS, READ_MODEL_CHANGES
from tests.support.ports import free_port, listens
from tests.support.waiting import until

CHANGE = ChangeNotice("lena", "weiss", 3)


class OwnBroker:
    """An embedded broker that this test may stop."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._address = ("127.0.0.1", free_port())
        self._process: asyncio.subprocess.Process | None = None

    @property
    def bootstrap(self) -> str:
        return "{}:{}".format(*self._address)

    async def start(self) -> None:
        program = shutil.which("noida-db", path=str(Path(sys.executable).parent)) or "noida-db"
        self._process = await asyncio.create_subprocess_exec(
            program,
            *("start", "--only", "kafka", "--kafka-port", str(self._address[1])),
            *("--data-dir", str(self._directory)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # the program is a launcher: its child is in the same group
            start_new_session=True,
        )
        await until(lambda: listens(self._address), 20)

    async def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            await asyncio.wait_for(self._process.wait(), 20)
            await until(lambda: not listens(self._address), 20)
            self._process = None


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
async def broker(tmp_path: Path) -> AsyncIterator[OwnBroker]:
    broker = OwnBroker(tmp_path)
    await broker.start()
    yield broker
    await broker.stop()


async def test_listeners_are_told_of_an_outage_and_of_its_end(broker: OwnBroker) -> None:
    # given a feed that follows
    await apply_topics(broker.bootstrap, 1, ALL_TOPICS)
    listener = Listener()
    following = asyncio.create_task(ChangeFeed(broker.bootstrap, [listener]).run())
    assert await listener.next() is True
    await _publish(broker, CHANGE)
    assert await listener.next() == CHANGE
    # when the broker goes away and comes back
    await broker.stop()
    assert await listener.next() is False
    await broker.start()
    await apply_topics(broker.bootstrap, 1, ALL_TOPICS)
    # then the feed follows again
    assert await listener.next() is True
    await _publish(broker, ChangeNotice("lena", "weiss", 4))
    assert await listener.next() == ChangeNotice("lena", "weiss", 4)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def _publish(broker: OwnBroker, notice: ChangeNotice) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(READ_MODEL_CHANGES.name, notice.to_json(), key=b"lena")
    finally:
        await producer.stop()
