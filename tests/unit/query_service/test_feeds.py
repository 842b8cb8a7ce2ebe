"""The feed against a Kafka that is played by hand; the real one is in tests/integration."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from query_service.cache import feeds
from query_service.cache.feeds import ChangeFeed, FeedBroken
from shared.kafka import CHILD_ALERTS, READ_MODEL_CHANGES
from shared.read_models.notices import (
    CLEAR,
    AlertNotice,
    ChangeNotice,
    ClearNotice,
    MalformedNotice,
    from_change_topic,
)
from tests.support.read_model_builders import alert_document
from tests.support.waiting import until

CHANGES, ALERTS = READ_MODEL_CHANGES.name, CHILD_ALERTS.name
CHANGE = ChangeNotice("lena", "weiss", 3)
ALERT = AlertNotice.of(alert_document("a1"))


@dataclass
class Record:
    value: bytes | None


class Listener:
    def __init__(self) -> None:
        self.heard: asyncio.Queue[Any] = asyncio.Queue()

    def connection_changed(self, connected: bool) -> None:
        self.heard.put_nowait(connected)

    def received(self, notice: ChangeNotice | AlertNotice) -> None:
        self.heard.put_nowait(notice)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.heard.get(), 5)


class PlayedKafka:
    """One broker with a partition a topic."""

    def __init__(self) -> None:
        self.partitions: dict[str, set[int]] = {CHANGES: {0}, ALERTS: {0}}
        self.ends = {TopicPartition(CHANGES, 0): 7, TopicPartition(ALERTS, 0): 2}
        self.positions: dict[TopicPartition, int] = {}
        self.records: asyncio.Queue[tuple[str, bytes | None]] = asyncio.Queue()
        self.refusals = 0
        self.cancelled_inside = False
        self.connections = 0

    @asynccontextmanager
    async def connect(self, _bootstrap: str) -> AsyncIterator["PlayedKafka"]:
        self.connections += 1
        if self.refusals:
            self.refusals -= 1
            raise KafkaConnectionError
        yield self

    async def partitions_of(self, _consumer: object, *topics: str) -> list[TopicPartition]:
        return [TopicPartition(t, number) for t in topics for number in self.partitions.get(t, ())]

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, 0)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: self.ends[partition] for partition in partitions}

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    async def getmany(
        self, timeout_ms: int, max_records: int | None
    ) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(0)  # a real one waits for records
        if self.cancelled_inside:
            self.cancelled_inside = False
            raise asyncio.CancelledError
        if self.records.empty():
            return {}
        topic, value = self.records.get_nowait()
        return {TopicPartition(topic, 0): [Record(value)]}


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> PlayedKafka:
    kafka = PlayedKafka()
    monkeypatch.setattr(feeds, "_consumer", kafka.connect)
    monkeypatch.setattr(feeds, "partitions_of", kafka.partitions_of)
    monkeypatch.setattr(feeds, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(feeds, "PROBE_SECONDS", 0.0)
    return kafka


@pytest.fixture
def listener() -> Listener:
    return Listener()


@asynccontextmanager
async def running(listener: Listener) -> AsyncIterator[ChangeFeed]:
    feed = ChangeFeed("played", [listener])
    following = asyncio.create_task(feed.run())
    yield feed
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.fixture
async def feed(kafka: PlayedKafka, listener: Listener) -> AsyncIterator[ChangeFeed]:
    async with running(listener) as feed:
        yield feed


async def test_the_feed_begins_at_the_end_and_passes_every_notice_on(
    feed: ChangeFeed, kafka: PlayedKafka, listener: Listener
):
    # given
    assert await listener.next() is True
    assert kafka.positions == kafka.ends
    await feed.check()
    # when
    kafka.records.put_nowait((CHANGES, CHANGE.to_json()))
    kafka.records.put_nowait((ALERTS, ALERT.to_json()))
    # then
    assert await listener.next() == CHANGE
    assert await listener.next() == ALERT


async def test_a_broker_that_is_not_there_is_tried_again(kafka: PlayedKafka, listener: Listener):
    kafka.refusals = 2
    async with running(listener) as feed:
        with pytest.raises(FeedBroken):
            await feed.check()
        assert await listener.next() is True
    assert kafka.connections == 3


async def test_a_missing_topic_is_waited_for(kafka: PlayedKafka, listener: Listener):
    partitions = kafka.partitions.pop(ALERTS)
    async with running(listener):
        await until(lambda: kafka.connections >= 2)
        assert listener.heard.empty()
        kafka.partitions[ALERTS] = partitions
        assert await listener.next() is True


def _record_lost(kafka: PlayedKafka) -> None:
    kafka.ends[TopicPartition(CHANGES, 0)] = 3


def _consumer_stuck(kafka: PlayedKafka) -> None:
    kafka.ends[TopicPartition(CHANGES, 0)] = 9


def _partition_added(kafka: PlayedKafka) -> None:
    kafka.partitions[CHANGES] = {0, 1}
    kafka.ends[TopicPartition(CHANGES, 1)] = 0


def _task_of_aiokafka_cancelled(kafka: PlayedKafka) -> None:
    kafka.cancelled_inside = True


@pytest.mark.parametrize(
    "break_it", [_record_lost, _consumer_stuck, _partition_added, _task_of_aiokafka_cancelled]
)
async def test_whenever_notices_may_have_been_missed_the_listeners_are_reported(
    feed: ChangeFeed, kafka: PlayedKafka, listener: Listener, break_it: Any
):
    assert await listener.next() is True
    break_it(kafka)
    # then everything begins anew, at the present end
    assert await listener.next() is False
    assert await listener.next() is True
    assert kafka.positions[TopicPartition(CHANGES, 0)] == kafka.ends[TopicPartition(CHANGES, 0)]


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (CHANGES, b"{}"),
        (CHANGES, b'{"child_id":[],"parent_id":"weiss","version":3}'),
        (CHANGES, b'{"child_id":"lena","parent_id":{},"version":3}'),
        (CHANGES, b'{"child_id":"lena","parent_id":"weiss","version":1e400}'),
        (CHANGES, b'{"child_id":"lena","parent_id":"weiss","version":"3"}'),
        (ALERTS, None),
        (ALERTS, b'"an alert"'),
    ],
)
async def test_what_is_no_notice_lets_the_listeners_forget_and_the_feed_goes_on_behind_it(
    feed: ChangeFeed, kafka: PlayedKafka, listener: Listener, topic: str, value: bytes | None
):
    # given
    assert await listener.next() is True
    # when
    kafka.records.put_nowait((topic, value))
    kafka.records.put_nowait((ALERTS, ALERT.to_json()))
    # then
    assert await listener.next() is False
    assert await listener.next() is True
    assert await listener.next() == ALERT
    assert kafka.connections == 1


async def test_a_notice_to_forget_everything_is_obeyed_and_not_taken_for_a_mistake(
    feed: ChangeFeed, kafka: PlayedKafka, listener: Listener
):
    assert await listener.next() is True
    # when
    with capture_logs() as logs:
        kafka.records.put_nowait((CHANGES, CLEAR.to_json()))
        kafka.records.put_nowait((CHANGES, CHANGE.to_json()))
        # then
        assert await listener.next() is False
        assert await listener.next() is True
        assert await listener.next() == CHANGE
    assert [log["log_level"] for log in logs] == ["info", "info"]


@pytest.mark.parametrize("notice", [CLEAR, replace(CLEAR, version=2)])
def test_whoever_does_not_know_a_notice_to_forget_takes_it_for_malformed(notice: ClearNotice):
    # given a release that knows changes of children only
    with pytest.raises(MalformedNotice):
        ChangeNotice.from_json(notice.to_json())


def test_of_another_version_it_is_malformed_and_so_everything_is_forgotten_too():
    with pytest.raises(MalformedNotice):
        from_change_topic(replace(CLEAR, version=2).to_json())


async def test_a_notice_that_says_more_is_a_notice(
    feed: ChangeFeed, kafka: PlayedKafka, listener: Listener
):
    assert await listener.next() is True
    # when a newer version tells more
    kafka.records.put_nowait((ALERTS, _with_more(ALERT.to_json())))
    kafka.records.put_nowait((CHANGES, _with_more(CHANGE.to_json())))
    assert await listener.next() == ALERT
    assert await listener.next() == CHANGE


def _with_more(notice: bytes) -> bytes:
    return orjson.dumps({**orjson.loads(notice), "mood": "new"})


async def test_listeners_are_notified_when_the_feed_is_stopped(
    kafka: PlayedKafka, listener: Listener
):
    async with running(listener) as feed:
        assert await listener.next() is True
    # when it is stopped, then
    assert await listener.next() is False
    assert not feed.connected
