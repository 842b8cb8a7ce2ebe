"""The ways to notify a parent; the app is one: the alert stands in the read model, and open apps
receive it from the topic."""

import asyncio
from dataclasses import dataclass
from typing import Protocol, cast

import structlog
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from projection_worker.consuming.kafka_clients import NoticePublisher
from projection_worker.projecting.projector import Projected
from shared.mongo import Database
from shared.read_models.deliveries import DeliveryDocument
from shared.read_models.documents import AlertDocument, Model
from shared.read_models.generations import live_generation
from shared.read_models.notices import ChangeNotice

log = structlog.get_logger(__name__)


class NotDelivered(Exception):
    """It did not work this time. `reason` is a class of failure: nothing of what was answered.

    `of_the_receiver`: everybody else's deliveries by this channel would fail as well."""

    def __init__(self, reason: str, *, of_the_receiver: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.of_the_receiver = of_the_receiver


class Channel(Protocol):
    """Raises NotDelivered. Bounds no time: its lane does."""

    async def deliver(self, delivery: DeliveryDocument) -> None: ...


def alert_of(delivery: DeliveryDocument) -> AlertDocument:
    """The alert, as it was raised; a delivery repeats all that it says."""
    names = AlertDocument.__annotations__
    alert = {name: value for name, value in delivery.items() if name in names}
    return cast(AlertDocument, {**alert, "_id": delivery["alert_id"], "delivered": {}})


PUBLISH_SECONDS = 5.0


class PublishedAgain:
    """Puts an alert's notice on the topic again, where nobody noted the first one: it got lost with
    its worker, or the agent that is to read it stands beyond it, as after a broker that lost its
    disk. What the broker has acknowledged is delivered."""

    def __init__(self, publisher: NoticePublisher) -> None:
        self._publisher = publisher

    async def deliver(self, delivery: DeliveryDocument) -> None:
        try:
            await self._publisher.publish(Projected(alerts=(alert_of(delivery),)))
        except KafkaError as error:
            raise NotDelivered(type(error).__name__) from None


@dataclass(frozen=True, slots=True)
class ReportsOutOfDate:
    """Says that answers about a child were made before a delivery was settled."""

    database: Database
    publisher: NoticePublisher

    async def settled(self, delivery: DeliveryDocument) -> None:
        """Raises nothing: cached answers end by themselves, too."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._publish(delivery)
        except (KafkaError, PyMongoError, TimeoutError) as error:
            log.warning("settled_delivery_not_recorded", error=type(error).__name__)

    async def _publish(self, delivery: DeliveryDocument) -> None:
        child_id, parent_id = delivery["child_id"], delivery["parent_id"]
        live = await live_generation(self.database)
        children = live.collection(self.database, Model.CHILDREN)
        child = await children.find_one({"_id": child_id}, {"version": 1})
        if child is not None:
            notice = ChangeNotice(child_id, parent_id, child["version"], marked=True)
            await self.publisher.publish(Projected(notices=(notice,)))
