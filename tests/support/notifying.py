"""A worker's webhook lane over real stores, inside the process of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from projection_worker.notifications.delivery_store import DeliveryStore
from projection_worker.notifications.lane import Lane, Patience
from projection_worker.notifications.metrics import NotificationMetrics
from projection_worker.notifications.webhook import WebhookChannel, webhook_client
from shared.clock import utc_now
from shared.events.child import AlertChannel
from shared.mongo import Mongo
from shared.read_models.deliveries import DeliveryDocument
from tests.support.webhook_receiver import SECRET


class Settled:
    """What is told of deliveries that were settled."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def __call__(self, delivery: DeliveryDocument) -> None:
        self.told.append(delivery["_id"])


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
