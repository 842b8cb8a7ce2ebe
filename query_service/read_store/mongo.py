"""The read models in MongoDB, always of the live generation.

shared/read_models/indexes.py has an index for every way of asking below.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import structlog

from query_service.read_store.port import (
    VISIBLE_STATUSES,
    ChildFilter,
    Place,
    ReadStoreUnavailable,
)
from shared.event_store.driver_errors import within
from shared.mongo import Collection as MongoCollection
from shared.mongo import Database, Document, aggregate
from shared.read_models.dead_lettered import stale_since
from shared.read_models.deliveries import count_deliveries_of
from shared.read_models.documents import (
    ActivityDocument,
    AlertDocument,
    ChildDocument,
    ConversationDocument,
    SafetyDocument,
)
from shared.read_models.freshness import projected_through
from shared.read_models.generations import Generation, live_generation
from shared.read_models.models import Model

POINTER_SECONDS = 1.0
"""A flip to another generation is seen at most this long after it happened."""

READ_SECONDS = 1.25
"""Longest a read may take: a store that hangs is told inside 2 s."""

NEWEST_CHILDREN = [("created_at", -1), ("_id", 1)]
NEWEST_ALERTS = [("raised_at", -1), ("_id", 1)]
VISIBLE: Document = {"status": {"$in": [status.value for status in VISIBLE_STATUSES]}}

log = structlog.get_logger(__name__)


class LiveGeneration:
    """The generation that queries read. `flipped` is called once after each change of it."""

    def __init__(
        self, database: Database, clock: Callable[[], float], flipped: Callable[[], object]
    ) -> None:
        self._database = database
        self._clock = clock
        self._flipped = flipped
        self._known: Generation | None = None
        self._through: datetime | None = None
        self._read_at = 0.0
        self._answered_at = float("-inf")
        self._answers = True
        self._following = False

    async def current(self) -> Generation:
        """The live generation as of at most `POINTER_SECONDS` ago. While `follow` finds the server
        away this raises at once: with Motor each question to a server that hangs would keep a
        thread for seconds, and soon none would be left to ask the other servers."""
        if not self._answers and self._following:
            raise ReadStoreUnavailable("known to be away")
        return await self._current()

    async def _current(self) -> Generation:
        known = self._known
        if known is not None and self._clock() - self._read_at < POINTER_SECONDS:
            return known
        asked_at = self._clock()
        self._through, live = await self._look(asked_at)
        before, self._known, self._read_at = self._known, live, asked_at
        if before not in (None, live):
            log.info("read_model_generation_flipped", generation=live.number)
            self._flipped()
        return live

    async def _look(self, asked_at: float) -> tuple[datetime | None, Generation]:
        try:
            async with within(READ_SECONDS, ReadStoreUnavailable):
                through = await projected_through(self._database)
                live = await live_generation(self._database)
        except ReadStoreUnavailable:
            self._answers = self._answered_at > asked_at  # another look was answered meanwhile
            raise
        self._answered_at, self._answers = self._clock(), True
        return through, live

    def away_seconds(self) -> float | None:
        """Since the last answer, without end before the first; None while looks are answered."""
        return None if self._answers else self._clock() - self._answered_at

    async def projected_through(self) -> datetime | None:
        """As of at most `POINTER_SECONDS` ago, so rather too early than too late."""
        await self.current()
        return self._through

    async def follow(self) -> None:
        """Look for a flip for ever, so that it is seen even while nobody's query reads."""
        self._following = True
        while True:
            try:
                await self._current()
            except ReadStoreUnavailable as error:
                log.warning("live_generation_unknown", error=str(error))
            await asyncio.sleep(POINTER_SECONDS)


class MongoReadModels:
    """Raises ReadStoreUnavailable."""

    def __init__(self, database: Database, live: LiveGeneration) -> None:
        self._database = database
        self._live = live

    async def ping(self) -> None:
        await self._live.current()

    def away_seconds(self) -> float | None:
        return self._live.away_seconds()

    async def projected_through(self) -> datetime | None:
        return await self._live.projected_through()

    async def gate(self, child_id: str) -> int:
        children = await self._collection(Model.CHILDREN)
        async with within(READ_SECONDS, ReadStoreUnavailable):
            found = await children.find_one({"_id": child_id}, {"version": 1})
        return int(found["version"]) if found else 0

    async def parent_of(self, child_id: str) -> str | None:
        children = await self._collection(Model.CHILDREN)
        async with within(READ_SECONDS, ReadStoreUnavailable):
            found = await children.find_one({"_id": child_id}, {"parent_id": 1})
        return str(found["parent_id"]) if found else None

    async def child(self, child_id: str, parent_id: str | None) -> ChildDocument | None:
        children = await self._collection(Model.CHILDREN)
        owned = {} if parent_id is None else {"parent_id": parent_id}
        async with within(READ_SECONDS, ReadStoreUnavailable):
            found = await children.find_one({"_id": child_id, **VISIBLE, **owned})
        return cast(ChildDocument | None, found)

    async def stale_since(self, child_ids: Collection[str]) -> Mapping[str, datetime]:
        generation = await self._live.current()
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return await stale_since(self._database, generation, child_ids)

    async def children_of(self, parent_id: str, limit: int) -> list[ChildDocument]:
        return list(await self.search(ChildFilter(parent_ids=(parent_id,)), None, limit))

    async def recent_conversations(
        self, child_ids: Collection[str], per_child: int
    ) -> dict[str, list[ConversationDocument]]:
        generation = await self._live.current()
        pipeline: list[Document] = [
            {"$match": {"_id": {"$in": list(child_ids)}}},
            {"$project": {"_id": 1}},
            {
                "$lookup": {
                    "from": generation.collection_name(Model.CONVERSATIONS),
                    "localField": "_id",
                    "foreignField": "child_id",
                    "pipeline": [
                        {"$sort": {"started_at": -1, "_id": 1}},
                        {"$limit": per_child},
                    ],
                    "as": "recent",
                }
            },
        ]
        children = generation.collection(self._database, Model.CHILDREN)
        found: dict[str, list[ConversationDocument]] = {child_id: [] for child_id in child_ids}
        async with within(READ_SECONDS, ReadStoreUnavailable):
            async for child in aggregate(children, pipeline):
                found[child["_id"]] = child["recent"]
        return found

    async def safety(self, child_id: str) -> SafetyDocument | None:
        collection = await self._collection(Model.SAFETY)
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return cast(SafetyDocument | None, await collection.find_one({"_id": child_id}))

    async def activity(
        self, child_id: str, first_day: str, last_day: str
    ) -> list[ActivityDocument]:
        collection = await self._collection(Model.ACTIVITY)
        wanted = {"child_id": child_id, "day": {"$gte": first_day, "$lte": last_day}}
        async with within(READ_SECONDS, ReadStoreUnavailable):
            found = await collection.find(wanted).sort("day", 1).to_list(None)
        return cast(list[ActivityDocument], found)

    async def search(
        self, wanted: ChildFilter, after: Place | None, limit: int
    ) -> Sequence[ChildDocument]:
        conditions = _conditions(wanted)
        if after is not None:
            conditions.append(_beyond("created_at", after))
        children = await self._collection(Model.CHILDREN)
        cursor = children.find({"$and": conditions}).sort(NEWEST_CHILDREN).limit(limit)
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return cast(list[ChildDocument], await cursor.to_list(limit))

    async def alerts_of(
        self, parent_id: str, after: Place | None, limit: int
    ) -> Sequence[AlertDocument]:
        conditions: list[Document] = [{"parent_id": parent_id}]
        if after is not None:
            conditions.append(_beyond("raised_at", after))
        alerts = await self._collection(Model.ALERTS)
        cursor = alerts.find({"$and": conditions}).sort(NEWEST_ALERTS).limit(limit)
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return cast(list[AlertDocument], await cursor.to_list(limit))

    async def conversations_of(self, child_id: str) -> list[ConversationDocument]:
        found = await self._all_of(Model.CONVERSATIONS, child_id, "started_at")
        return cast(list[ConversationDocument], found)

    async def alerts_about(self, child_id: str) -> list[AlertDocument]:
        return cast(list[AlertDocument], await self._all_of(Model.ALERTS, child_id, "raised_at"))

    async def unread_alerts(self, child_ids: Collection[str]) -> Mapping[str, int]:
        alerts = await self._collection(Model.ALERTS)
        pipeline: list[Document] = [
            {"$match": {"child_id": {"$in": list(child_ids)}, "acknowledged_at": None}},
            {"$group": {"_id": "$child_id", "unread": {"$sum": 1}}},
        ]
        async with within(READ_SECONDS):
            return {row["_id"]: row["unread"] async for row in aggregate(alerts, pipeline)}

    async def deliveries_about(self, child_id: str) -> Mapping[str, int]:
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return await count_deliveries_of(self._database, child_id)

    async def system_counters(self) -> dict[str, int]:
        shards = await self._collection(Model.SYSTEM)
        pipeline: list[Document] = [
            {"$project": {"counter": {"$objectToArray": "$counters"}}},
            {"$unwind": "$counter"},
            {"$group": {"_id": "$counter.k", "total": {"$sum": "$counter.v"}}},
        ]
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return {row["_id"]: int(row["total"]) async for row in aggregate(shards, pipeline)}

    async def _all_of(self, model: Model, child_id: str, by: str) -> list[Document]:
        collection = await self._collection(model)
        found = collection.find({"child_id": child_id}).sort([(by, 1), ("_id", 1)])
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return await found.to_list(None)

    async def _collection(self, model: Model) -> MongoCollection:
        return (await self._live.current()).collection(self._database, model)


def _conditions(wanted: ChildFilter) -> list[Document]:
    conditions: list[Document] = [VISIBLE]
    conditions += [{"parent_id": parent_id} for parent_id in wanted.parent_ids]
    conditions += [{"name_tokens": token} for token in wanted.name_tokens]
    limits: dict[str, Any] = {"$gte": wanted.age_min, "$lte": wanted.age_max}
    age = {operator: limit for operator, limit in limits.items() if limit is not None}
    if age:
        conditions.append({"age": age})
    if wanted.safety_status is not None:
        conditions.append({"safety_status": wanted.safety_status.value})
    if wanted.engagement_level is not None:
        conditions.append({"engagement_level": wanted.engagement_level.value})
    if wanted.status is not None:
        conditions.append({"status": wanted.status.value})
    return conditions


def _beyond(field: str, after: Place) -> Document:
    """What sorts after `after`. The outer bound keeps a late page as cheap as the first: the
    index is entered there."""
    tie = {field: after.at, "_id": {"$gt": after.id}}
    return {field: {"$lte": after.at}, "$or": [{field: {"$lt": after.at}}, tie]}
