"""Deliveries in MongoDB: who may try which now, what became of it, and when it is tried again.

The database's clock decides what is due and how long a claim lasts, so workers' clocks need not
agree. A claim moves the next attempt behind its end: whoever claimed and died is followed by the
sweep of any worker. Pauses grow from seconds to hours, over three days."""

import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import cast

from pymongo import ReturnDocument
from pymongo.errors import OperationFailure

from shared.clock import Clock, new_id
from shared.mongo import Database, Document, Mongo
from shared.read_models.deliveries import (
    AT_ONCE,
    DeliveryDocument,
    DeliveryState,
    added_once,
    deliveries,
    deliveries_of,
)
from shared.read_models.documents import AlertDocument, Model
from shared.read_models.generations import read_catalog

MINUTE, HOUR = 60.0, 3_600.0
PAUSES = (
    5.0,
    30.0,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    *[8 * HOUR] * 8,
)
"""Seconds after the first, second, ... attempt; behind the last one there is none any more."""

JITTER = 0.2
"""Part of a pause by which it may be longer or shorter: what failed together is not tried together
again."""

GIVEN_UP_AFTER = timedelta(days=3)


def pause_after(attempts: int) -> float | None:
    """Seconds until the next attempt; None: there were enough."""
    if attempts > len(PAUSES):
        return None
    jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing
    return PAUSES[max(attempts, 1) - 1] * jitter


CLAIM_SECONDS = 60.0
"""Far longer than an attempt may take."""

ADOPTED_AT_ONCE = 500
CONFLICTS = 20
TRANSIENT = "TransientTransactionError"
NOT_CONFIGURED = "ChannelNotConfigured"
_PENDING: Document = {"state": DeliveryState.PENDING}
_DUE: Document = {**_PENDING, "$expr": {"$lte": ["$next_attempt_at", "$$NOW"]}}


def in_seconds(seconds: float) -> Document:
    """So long after the database's now."""
    milliseconds = round(seconds * 1_000)
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": milliseconds}}


class DeliveryStore:
    """Deliveries of lane.py, and what the sweeps and operators do with many of them."""

    def __init__(self, mongo: Mongo, database: Database, clock: Clock) -> None:
        self._mongo = mongo
        self._database = database
        self._deliveries = deliveries(database)
        self._clock = clock

    async def of_alert(self, alert_id: str) -> list[DeliveryDocument]:
        found = await self._deliveries.find({"alert_id": alert_id}).to_list(None)
        return cast(list[DeliveryDocument], found)

    async def adopt(self, most: int = ADOPTED_AT_ONCE) -> int:
        """Make the deliveries that alerts of the live generation lack because it raised them before
        it was live; how many alerts were looked at. What was delivered, or is past, stays so."""
        live = (await read_catalog(self._database)).live
        alerts = live.collection(self._database, Model.ALERTS)
        found = await alerts.find({"awaits_live": True}).limit(most).to_list(None)
        now = self._clock()
        raised = cast(list[AlertDocument], found)
        await self.insert([fresh for alert in raised for fresh in deliveries_of(alert, now)])
        adopted = {"_id": {"$in": [alert["_id"] for alert in found]}}
        await alerts.update_many(adopted, {"$unset": {"awaits_live": ""}})
        return len(found)

    async def insert(self, fresh: Sequence[DeliveryDocument]) -> None:
        """What is there already stays as it is."""
        writes = [added_once(one) for one in fresh]
        if writes:
            await self._deliveries.bulk_write(writes, ordered=False)

    async def due(self, channel: str, most: int) -> list[str]:
        wanted = {**_DUE, "channel": channel}
        cursor = self._deliveries.find(wanted, {"_id": 1}).sort("next_attempt_at", 1).limit(most)
        return [one["_id"] for one in await cursor.to_list(None)]

    async def claim(self, wanted_id: str) -> DeliveryDocument | None:
        """The delivery, ours alone for `CLAIM_SECONDS`; None when it is not due (any more)."""
        claimed = {
            "attempts": {"$add": ["$attempts", 1]},
            "next_attempt_at": in_seconds(CLAIM_SECONDS),
            "claim": new_id(),
        }
        found = await self._deliveries.find_one_and_update(
            {**_DUE, "_id": wanted_id}, [{"$set": claimed}], return_document=ReturnDocument.AFTER
        )
        return cast(DeliveryDocument | None, found)

    async def delivered(self, delivery: DeliveryDocument) -> bool:
        """Note it, in the alert of every kept generation too, all at once; whether it was new."""
        at = self._clock()
        for _ in range(CONFLICTS):
            try:
                return await self._note_delivered(delivery, at)
            except OperationFailure as error:
                if not error.has_error_label(TRANSIENT):
                    raise  # otherwise another channel's delivery was noted at the same moment
        return await self._note_delivered(delivery, at)

    async def _note_delivered(self, delivery: DeliveryDocument, at: datetime) -> bool:
        settled = {"state": DeliveryState.DELIVERED, "delivered_at": at, "last_error": None}
        mark = f"delivered.{delivery['channel']}"
        unmarked = {"_id": delivery["alert_id"], mark: {"$exists": False}}
        kept = (await read_catalog(self._database)).kept
        async with self._mongo.transaction() as session:
            noted = await self._deliveries.update_one(
                {"_id": delivery["_id"], "state": {"$ne": DeliveryState.DELIVERED}},
                {"$set": settled},
                session=session,
            )
            for one in kept if noted.modified_count else ():
                await one.generation.collection(self._database, Model.ALERTS).update_one(
                    unmarked, {"$set": {mark: at}}, session=session
                )
        return bool(noted.modified_count)

    async def not_delivered(self, delivery: DeliveryDocument, reason: str) -> bool:
        pause = pause_after(delivery["attempts"])
        if self._clock() - delivery["created_at"] > GIVEN_UP_AFTER:
            pause = None
        change: Document = {"last_error": reason}
        if pause is None:
            change["state"] = DeliveryState.FAILED
        else:
            change["next_attempt_at"] = in_seconds(pause)
        await self._deliveries.update_one(
            {"_id": delivery["_id"], "claim": delivery["claim"], **_PENDING}, [{"$set": change}]
        )
        return pause is None

    async def give_up(self, channels: Collection[str]) -> int:
        """Fail what has waited too long: for a channel that is none of `channels`, which nobody
        configured; or tried in vain, for a receiver that was away all the time."""
        long_ago = {**_PENDING, "created_at": {"$lt": self._clock() - GIVEN_UP_AFTER}}
        unknown = await self._deliveries.update_many(
            {**long_ago, "channel": {"$nin": list(channels)}},
            {"$set": {"state": DeliveryState.FAILED, "last_error": NOT_CONFIGURED}},
        )
        in_vain = await self._deliveries.update_many(
            {**_DUE, **long_ago, "channel": {"$in": list(channels)}, "attempts": {"$gt": 0}},
            {"$set": {"state": DeliveryState.FAILED}},
        )
        return int(unknown.modified_count + in_vain.modified_count)

    async def find(
        self,
        limit: int,
        state: DeliveryState | None = None,
        channel: str | None = None,
        delivery: str | None = None,
    ) -> list[DeliveryDocument]:
        """Those that meet every condition given, the oldest first."""
        given = {"state": state, "channel": channel, "_id": delivery}
        wanted: Document = {name: value for name, value in given.items() if value is not None}
        cursor = self._deliveries.find(wanted).sort([("created_at", 1), ("_id", 1)]).limit(limit)
        return cast(list[DeliveryDocument], await cursor.to_list(None))

    async def count(self, state: DeliveryState) -> int:
        return int(await self._deliveries.count_documents({"state": state}))

    async def redrive(self, wanted_ids: Collection[str]) -> int:
        """Let these failed ones be tried again, with three days before them; how many were."""
        again = {
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "next_attempt_at": AT_ONCE,
            "created_at": self._clock(),
        }
        redriven = await self._deliveries.update_many(
            {"_id": {"$in": list(wanted_ids)}, "state": DeliveryState.FAILED}, {"$set": again}
        )
        return int(redriven.modified_count)
