"""The read models in MongoDB, always of the live generation.

shared/read_models/indexes.py has an index for every way of asking."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

from query_service.read_store.business_figures import BusinessFigures
from query_service.read_store.family_counts import FamilyCounts
from query_service.read_store.figures_in_mongo import FiguresInMongo
from query_service.read_store.live_generation import READ_SECONDS, LiveGeneration, reading
from query_service.read_store.mongo_queries import (
    LONGEST,
    MS_A_MINUTE,
    VISIBLE,
    family_sums,
    open_minutes,
    page_of,
    recent_conversations,
)
from query_service.read_store.operations import Operations, read_operations
from query_service.read_store.port import (
    TOO_OLD_FOR_A_QUEUE,
    VIOLATIONS_APART,
    ChildFilter,
    PageEnd,
    ReadStoreUnavailable,
    Violations,
)
from query_service.read_store.searching import search
from query_service.read_store.violation_filter import QueueEnd, ViolationFilter
from query_service.read_store.violation_queue import violation_queue
from query_service.read_store.violations import ListedViolations, ViolationsInMongo, listed_in
from shared.event_store.commit_documents import within
from shared.mongo import Collection as MongoCollection
from shared.mongo import Database, Document, aggregate
from shared.read_models.deliveries import count_deliveries_of
from shared.read_models.documents import (
    ActivityDocument,
    AlertDocument,
    ChildDocument,
    ConversationDocument,
    Model,
    SafetyDocument,
    ViolationDocument,
)
from shared.read_models.indexes import stale_since
from shared.read_models.operation_states import OperationStanding, newest_operations

FIGURES_SECONDS = 2 * READ_SECONDS
"""Longest that all figures of business may take together, and READ_SECONDS each of them."""


class MongoReadModels:
    """Every coroutine raises ReadStoreUnavailable."""

    def __init__(self, database: Database, live: LiveGeneration) -> None:
        self._database = database
        self._live = live

    async def ping(self) -> None:
        await self._live.current()

    def away_seconds(self) -> float | None:
        return self._live.away_seconds()

    async def projected_through(self) -> datetime | None:
        return await self._live.projected_through()

    async def operations(self) -> Operations:
        async with reading():
            return await read_operations(self._database)

    async def started_operations(self, limit: int) -> Sequence[OperationStanding]:
        async with reading():
            return await newest_operations(self._database, limit)

    async def projected_version(self, child_id: str) -> int:
        children = await self._collection(Model.CHILDREN)
        async with reading():
            found = await children.find_one({"_id": child_id}, {"version": 1})
        return int(found["version"]) if found else 0

    async def parent_of(self, child_id: str) -> str | None:
        children = await self._collection(Model.CHILDREN)
        async with reading():
            found = await children.find_one({"_id": child_id}, {"parent_id": 1})
        return str(found["parent_id"]) if found else None

    async def child(self, child_id: str, parent_id: str | None) -> ChildDocument | None:
        children = await self._collection(Model.CHILDREN)
        owned = {} if parent_id is None else {"parent_id": parent_id}
        async with reading():
            found = await children.find_one({"_id": child_id, **VISIBLE, **owned})
        return cast(ChildDocument | None, found)

    async def children_by_id(self, child_ids: Collection[str]) -> Sequence[ChildDocument]:
        children = await self._collection(Model.CHILDREN)
        async with reading():
            found = await children.find({"_id": {"$in": list(child_ids)}, **VISIBLE}).to_list(None)
        return cast(list[ChildDocument], found)

    async def stale_since(self, child_ids: Collection[str]) -> Mapping[str, datetime]:
        generation = await self._live.current()
        async with reading():
            return await stale_since(self._database, generation, child_ids)

    async def count_family(self, parent_id: str) -> FamilyCounts:
        children = await self._collection(Model.CHILDREN)
        alerts = await self._collection(Model.ALERTS)
        async with reading():
            rows = [row async for row in aggregate(children, family_sums(parent_id))]
            unread = await alerts.count_documents({"parent_id": parent_id, "acknowledged_at": None})
        return FamilyCounts(**(rows[0] if rows else {}), unread_alerts=unread)

    async def search(
        self, wanted: ChildFilter, after: PageEnd | None, limit: int
    ) -> Sequence[ChildDocument]:
        found = await search(await self._collection(Model.CHILDREN), wanted, after, limit)
        return cast(list[ChildDocument], found)

    async def conversations_page(
        self, child_id: str, after: PageEnd | None, limit: int
    ) -> Sequence[ConversationDocument]:
        of_child: list[Document] = [{"child_id": child_id}]
        found = await page_of(
            await self._collection(Model.CONVERSATIONS), of_child, "started_at", after, limit
        )
        return cast(list[ConversationDocument], found)

    async def recent_conversations(
        self, child_ids: Collection[str], per_child: int
    ) -> dict[str, list[ConversationDocument]]:
        generation = await self._live.current()
        conversations = generation.collection_name(Model.CONVERSATIONS)
        pipeline = recent_conversations(conversations, child_ids, per_child)
        children = generation.collection(self._database, Model.CHILDREN)
        found: dict[str, list[ConversationDocument]] = {child_id: [] for child_id in child_ids}
        async with reading():
            async for child in aggregate(children, pipeline):
                found[child["_id"]] = child["recent"]
        return found

    async def activity(
        self, child_id: str, first_day: str, last_day: str
    ) -> list[ActivityDocument]:
        collection = await self._collection(Model.ACTIVITY)
        wanted = {"child_id": child_id, "day": {"$gte": first_day, "$lte": last_day}}
        async with reading():
            found = await collection.find(wanted).sort("day", 1).to_list(None)
        return cast(list[ActivityDocument], found)

    async def open_minutes(
        self, child_id: str, since: datetime, now: datetime
    ) -> Mapping[str, float]:
        live = await self._live.kept()
        conversations = live.generation.collection(self._database, Model.CONVERSATIONS)
        pipeline = open_minutes(child_id, since, now, live.conversation_limit_minutes)
        minutes: dict[str, float] = {}
        async with reading():
            async for one in aggregate(conversations, pipeline):
                next_day: datetime = one["_id"]
                for day, ms in ((next_day - LONGEST, one["first"]), (next_day, one["second"])):
                    if ms:
                        name = day.date().isoformat()
                        minutes[name] = minutes.get(name, 0.0) + ms / MS_A_MINUTE
        return minutes

    async def conversation_limit(self) -> timedelta:
        return (await self._live.kept()).conversation_limit

    async def safety(self, child_id: str) -> SafetyDocument | None:
        collection = await self._collection(Model.SAFETY)
        async with reading():
            return cast(SafetyDocument | None, await collection.find_one({"_id": child_id}))

    async def violations_of(self, child_id: str) -> Violations:
        live = await self._live.kept()
        if live.projections < VIOLATIONS_APART:
            return ListedViolations(listed_in(await self.safety(child_id)))
        collection = live.generation.collection(self._database, Model.VIOLATIONS)
        return ViolationsInMongo(collection, child_id)

    async def violation_queue(
        self, wanted: ViolationFilter, after: QueueEnd | None, limit: int
    ) -> Sequence[ViolationDocument]:
        live = await self._live.kept()
        if live.projections < VIOLATIONS_APART:
            raise ReadStoreUnavailable(TOO_OLD_FOR_A_QUEUE)
        collection = live.generation.collection(self._database, Model.VIOLATIONS)
        found = await violation_queue(collection, wanted, after, limit)
        return cast(list[ViolationDocument], found)

    async def alerts_of(
        self, parent_id: str, after: PageEnd | None, limit: int
    ) -> Sequence[AlertDocument]:
        of_parent: list[Document] = [{"parent_id": parent_id}]
        found = await page_of(
            await self._collection(Model.ALERTS), of_parent, "raised_at", after, limit
        )
        return cast(list[AlertDocument], found)

    async def unread_alerts(self, child_ids: Collection[str]) -> Mapping[str, int]:
        alerts = await self._collection(Model.ALERTS)
        pipeline: list[Document] = [
            {"$match": {"child_id": {"$in": list(child_ids)}, "acknowledged_at": None}},
            {"$group": {"_id": "$child_id", "unread": {"$sum": 1}}},
        ]
        async with reading():
            return {row["_id"]: row["unread"] async for row in aggregate(alerts, pipeline)}

    async def delivered_about(self, child_id: str) -> int:
        alerts = await self._collection(Model.ALERTS)
        channels = {"$size": {"$objectToArray": "$delivered"}}
        pipeline: list[Document] = [
            {"$match": {"child_id": child_id}},
            {"$group": {"_id": None, "delivered": {"$sum": channels}}},
        ]
        async with reading():
            async for row in aggregate(alerts, pipeline):
                return int(row["delivered"])
        return 0

    async def deliveries_about(self, child_id: str) -> Mapping[str, int]:
        async with reading():
            return await count_deliveries_of(self._database, child_id)

    async def system_counters(self) -> dict[str, int]:
        shards = await self._collection(Model.SYSTEM)
        pipeline: list[Document] = [
            {"$project": {"counter": {"$objectToArray": "$counters"}}},
            {"$unwind": "$counter"},
            {"$group": {"_id": "$counter.k", "total": {"$sum": "$counter.v"}}},
        ]
        async with reading():
            return {row["_id"]: int(row["total"]) async for row in aggregate(shards, pipeline)}

    async def figures(self, now: datetime) -> BusinessFigures:
        most_ms = round(READ_SECONDS * 1_000)
        counted = FiguresInMongo(self._database, await self._live.kept(), most_ms)
        async with within(FIGURES_SECONDS, ReadStoreUnavailable):
            return await counted.read(now)

    async def _collection(self, model: Model) -> MongoCollection:
        return (await self._live.current()).collection(self._database, model)
