"""Alerts, and what became of them, from MongoDB."""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from query_service.read_store.live_generation import READ_SECONDS
from query_service.read_store.mongo_reads import MongoReads
from query_service.read_store.port import Place, ReadStoreUnavailable
from shared.event_store.driver_errors import within
from shared.mongo import Document, aggregate
from shared.read_models.deliveries import count_deliveries_of
from shared.read_models.documents import AlertDocument
from shared.read_models.models import Model


class AlertsInMongo(MongoReads):
    async def alerts_of(
        self, parent_id: str, after: Place | None, limit: int
    ) -> Sequence[AlertDocument]:
        of_parent: list[Document] = [{"parent_id": parent_id}]
        found = await self._page(Model.ALERTS, of_parent, "raised_at", after, limit)
        return cast(list[AlertDocument], found)

    async def unread_alerts(self, child_ids: Collection[str]) -> Mapping[str, int]:
        alerts = await self._collection(Model.ALERTS)
        pipeline: list[Document] = [
            {"$match": {"child_id": {"$in": list(child_ids)}, "acknowledged_at": None}},
            {"$group": {"_id": "$child_id", "unread": {"$sum": 1}}},
        ]
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return {row["_id"]: row["unread"] async for row in aggregate(alerts, pipeline)}

    async def delivered_about(self, child_id: str) -> int:
        alerts = await self._collection(Model.ALERTS)
        channels = {"$size": {"$objectToArray": "$delivered"}}
        pipeline: list[Document] = [
            {"$match": {"child_id": child_id}},
            {"$group": {"_id": None, "delivered": {"$sum": channels}}},
        ]
        async with within(READ_SECONDS, ReadStoreUnavailable):
            async for row in aggregate(alerts, pipeline):
                return int(row["delivered"])
        return 0

    async def deliveries_about(self, child_id: str) -> Mapping[str, int]:
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return await count_deliveries_of(self._database, child_id)
