"""The read models in MongoDB, always of the live generation.

shared/read_models/indexes.py has an index for every way of asking.
"""

from datetime import datetime

from query_service.read_store.live_generation import READ_SECONDS
from query_service.read_store.mongo_alerts import AlertsInMongo
from query_service.read_store.mongo_children import ChildrenInMongo
from query_service.read_store.mongo_conversations import ConversationsInMongo
from query_service.read_store.mongo_violations import SafetyInMongo
from query_service.read_store.port import ReadStoreUnavailable
from shared.event_store.driver_errors import within
from shared.mongo import Document, aggregate
from shared.read_models.models import Model


class MongoReadModels(ChildrenInMongo, ConversationsInMongo, SafetyInMongo, AlertsInMongo):
    """Raises ReadStoreUnavailable."""

    async def ping(self) -> None:
        await self._live.current()

    def away_seconds(self) -> float | None:
        return self._live.away_seconds()

    async def projected_through(self) -> datetime | None:
        return await self._live.projected_through()

    async def system_counters(self) -> dict[str, int]:
        shards = await self._collection(Model.SYSTEM)
        pipeline: list[Document] = [
            {"$project": {"counter": {"$objectToArray": "$counters"}}},
            {"$unwind": "$counter"},
            {"$group": {"_id": "$counter.k", "total": {"$sum": "$counter.v"}}},
        ]
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return {row["_id"]: int(row["total"]) async for row in aggregate(shards, pipeline)}
