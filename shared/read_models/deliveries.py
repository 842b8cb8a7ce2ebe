"""What became of each alert on each channel.

Collection `deliveries`, one document for an alert and a channel, beside the generations of the read
models and part of none: a rebuild, a rollback or a replay finds who was notified and notifies
nobody again. `_id` follows from the alert and the channel.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypedDict, cast

from pymongo import UpdateOne

from shared.events.child import AlertChannel
from shared.mongo import Collection, Database, Document, aggregate
from shared.read_models.documents import AlertDocument

DELIVERIES_COLLECTION = "deliveries"
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""Due before any clock's now: the database's, not a worker's, says when the rest is due."""

IN_APP_AGAIN_AFTER = timedelta(seconds=10)
"""In the app an alert is delivered by its notice on the topic; one that is not by then got lost."""

NOTIFIED_WITHIN = timedelta(days=14)
"""Of an alert that is raised later than so long after what raised it, nobody is notified: it is
the past, read again into read models that begin anew."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DeliveryDocument(TypedDict):
    """`next_attempt_at`: from then on a pending delivery may be tried; whoever tries it moves it on
    first, so it is also how long it is that one's alone. `claim` names the newest attempt.
    `last_error` names a class of error and holds nothing of an answer."""

    _id: str
    alert_id: str
    event_id: str
    channel: str
    child_id: str
    parent_id: str
    rule: str
    violation_id: str
    violation_type: str
    severity: str
    channels: list[str]
    raised_at: datetime
    state: str
    attempts: int
    next_attempt_at: datetime
    claim: str | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


def delivery_id(alert_id: str, channel: str) -> str:
    return f"{alert_id}:{channel}"


def delivery_of(alert: AlertDocument, channel: str, now: datetime) -> DeliveryDocument:
    """The delivery of an alert that was just raised."""
    in_app = channel == AlertChannel.IN_APP
    return DeliveryDocument(
        _id=delivery_id(alert["_id"], channel),
        alert_id=alert["_id"],
        event_id=alert["event_id"],
        channel=channel,
        child_id=alert["child_id"],
        parent_id=alert["parent_id"],
        rule=alert["rule"],
        violation_id=alert["violation_id"],
        violation_type=alert["violation_type"],
        severity=alert["severity"],
        channels=alert["channels"],
        raised_at=alert["raised_at"],
        state=DeliveryState.PENDING,
        attempts=0,
        next_attempt_at=now + IN_APP_AGAIN_AFTER if in_app else AT_ONCE,
        claim=None,
        last_error=None,
        created_at=now,
        delivered_at=None,
    )


def deliveries_of(alert: AlertDocument, now: datetime) -> list[DeliveryDocument]:
    """One for each channel that did not deliver it yet; none of an alert of the past."""
    if now - alert["raised_at"] > NOTIFIED_WITHIN:
        return []
    waiting = [channel for channel in alert["channels"] if channel not in alert["delivered"]]
    return [delivery_of(alert, channel, now) for channel in waiting]


def added_once(delivery: DeliveryDocument) -> UpdateOne:
    """A write that leaves what is there already as it is."""
    return UpdateOne(
        {"_id": delivery["_id"]}, {"$setOnInsert": cast(Document, delivery)}, upsert=True
    )


def deliveries(database: Database) -> Collection:
    return database[DELIVERIES_COLLECTION]


async def ensure_delivery_indexes(database: Database) -> None:
    """Create what is missing; repeating it changes nothing."""
    keys: Iterable[list[tuple[str, int]]] = (
        [("state", 1), ("channel", 1), ("next_attempt_at", 1)],
        [("alert_id", 1)],
        [("event_id", 1)],
        [("child_id", 1), ("state", 1)],
        [("raised_at", 1), ("channel", 1), ("state", 1)],
    )
    for key in keys:
        await deliveries(database).create_index(key)


@dataclass(frozen=True, slots=True)
class OpenDeliveries:
    """How many of a channel are in a state, and since when the oldest is."""

    count: int
    oldest: datetime


async def open_deliveries(database: Database) -> dict[tuple[str, str], OpenDeliveries]:
    """What waits and what failed, by channel and state; without those of which there are none."""
    open_ones = {"state": {"$in": [DeliveryState.PENDING.value, DeliveryState.FAILED.value]}}
    grouped = {
        "_id": {"channel": "$channel", "state": "$state"},
        "count": {"$sum": 1},
        "oldest": {"$min": "$created_at"},
    }
    stages: list[Document] = [{"$match": open_ones}, {"$group": grouped}]
    return {
        (one["_id"]["channel"], one["_id"]["state"]): OpenDeliveries(one["count"], one["oldest"])
        async for one in aggregate(deliveries(database), stages)
    }


async def count_deliveries_of(database: Database, child_id: str) -> dict[str, int]:
    """How many of a child's are in which state."""
    stages: list[Document] = [
        {"$match": {"child_id": child_id}},
        {"$group": {"_id": "$state", "count": {"$sum": 1}}},
    ]
    return {one["_id"]: one["count"] async for one in aggregate(deliveries(database), stages)}


async def count_deliveries_since(
    database: Database, since: datetime, most_ms: int
) -> dict[tuple[str, str], int]:
    """How many of the alerts raised since then are in which state, by channel and state; without
    those of which there are none. Reads the index alone, for at most `most_ms`."""
    stages: list[Document] = [
        {"$match": {"raised_at": {"$gte": since}}},
        {"$group": {"_id": {"channel": "$channel", "state": "$state"}, "count": {"$sum": 1}}},
    ]
    found = aggregate(deliveries(database), stages, maxTimeMS=most_ms)
    return {(one["_id"]["channel"], one["_id"]["state"]): one["count"] async for one in found}
