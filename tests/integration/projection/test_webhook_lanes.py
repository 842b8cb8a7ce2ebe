"""Webhooks over a real store: two workers, a receiver in trouble, MongoDB away meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from projection_worker.notifications.delivery_store import DeliveryStore
from projection_worker.notifications.lane import Lane, Patience
from projection_worker.notifications.metrics import NotificationMetrics
from projection_worker.notifications.webhook import WebhookChannel, webhook_client
from shared.clock import utc_now
from shared.events.child import AlertChannel
from shared.mongo import Mongo
from shared.read_models.deliveries import (
    AT_ONCE,
    added_once,
    deliveries,
    deliveries_of,
    ensure_delivery_indexes,
)
from tests.support.deliveries import Settled
from tests.support.own_servers import own_mongod
from tests.support.read_model_builders import alert_document
from tests.support.waiting import until
from tests.support.webhook_receiver import (
    SECRET,
    WebhookReceiver,
    answer,
    dripping_receiver,
    webhook_receiver,
)

MANY = 40


@asynccontextmanager
async def webhook_lane(
    mongo: Mongo, database: str, url: str, attempt_seconds: float = 10.0
) -> AsyncIterator[Lane]:
    """As each worker has one of its own."""
    async with webhook_client(attempt_seconds) as client:
        channel = WebhookChannel(client, url, [SECRET], utc_now, private=True)
        store = DeliveryStore(mongo, mongo.database(database), utc_now)
        metrics = NotificationMetrics(CollectorRegistry())
        patience = Patience(attempt_seconds=attempt_seconds)
        yield Lane(AlertChannel.WEBHOOK, channel, store, Settled(), metrics, patience=patience)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
async def mongo(mongo_url: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url)
    yield mongo
    await mongo.close()


async def test_two_workers_send_each_alert_once(
    mongo: Mongo, fresh_database: str, receiver: WebhookReceiver
) -> None:
    await _raised(mongo, fresh_database, MANY)
    lane = webhook_lane(mongo, fresh_database, receiver.url)
    other = webhook_lane(mongo, fresh_database, receiver.url)

    async with lane as one, other as two:
        while await _states(mongo, fresh_database) != {"delivered": MANY}:
            await asyncio.gather(one.sweep(), two.sweep())
            await asyncio.gather(one.settle(), two.settle())

    assert len(receiver.received) == MANY
    assert len({reported["alert_id"] for reported in receiver.received}) == MANY


async def test_a_receiver_that_sends_a_byte_now_and_then_has_a_time_limit(
    mongo: Mongo, fresh_database: str
) -> None:
    """Each read is quick, so only a limit for the whole attempt ends it."""
    await _raised(mongo, fresh_database, 1)
    async with (
        dripping_receiver() as url,
        webhook_lane(mongo, fresh_database, url, attempt_seconds=0.5) as lane,
    ):
        await lane.sweep()
        await asyncio.wait_for(lane.settle(), 5)

    (found,) = await _stored(mongo, fresh_database)
    assert (found["state"], found["last_error"]) == ("pending", "TimeoutError")


async def test_an_alert_is_sent_again_under_the_same_id(
    mongo: Mongo, fresh_database: str, receiver: WebhookReceiver
) -> None:
    await _raised(mongo, fresh_database, 1)
    receiver.answers.append(answer(500))
    async with webhook_lane(mongo, fresh_database, receiver.url) as lane:
        for _ in range(2):
            await lane.sweep()
            await lane.settle()
            await _pauses_end(mongo, fresh_database)

    first, second = receiver.headers
    assert first["webhook-id"] == second["webhook-id"]
    assert await _states(mongo, fresh_database) == {"delivered": 1}


async def test_a_store_that_is_away_while_the_receiver_is_told_costs_nothing(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    async with own_mongod(tmp_path) as mongod:
        mongo = Mongo(mongod.url)
        await _raised(mongo, "read", 1)
        receiver.answering.clear()
        async with webhook_lane(mongo, "read", receiver.url) as lane:
            await lane.sweep()
            await until(lambda: len(receiver.received) == 1)
            # when the store goes before the receiver answers, and comes back
            await mongod.kill()
            receiver.answering.set()
            await mongod.start()
            await asyncio.wait_for(lane.settle(), 60)
        # then it is noted, and nothing was sent twice
        assert await _states(mongo, "read") == {"delivered": 1}
        assert len(receiver.received) == 1
        await mongo.close()


async def _raised(mongo: Mongo, database: str, count: int) -> None:
    """So many alerts wait for a webhook."""
    read, now = mongo.database(database), utc_now()
    await ensure_delivery_indexes(read)
    waiting = [
        added_once(fresh)
        for number in range(count)
        for fresh in deliveries_of(
            alert_document(f"alert-{number}", channels=["webhook"], raised_at=now), now
        )
    ]
    await deliveries(read).bulk_write(waiting)


async def _stored(mongo: Mongo, database: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (
        await deliveries(mongo.database(database)).find({}).to_list(None)
    )
    return found


async def _states(mongo: Mongo, database: str) -> dict[object, int]:
    states = [one["state"] for one in await _stored(mongo, database)]
    return {state: states.count(state) for state in states}


async def _pauses_end(mongo: Mongo, database: str) -> None:
    change = {"$set": {"next_attempt_at": AT_ONCE}}
    await deliveries(mongo.database(database)).update_many({}, change)
