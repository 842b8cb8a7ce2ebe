"""A child's violations from MongoDB: a document each, or a list in its safety document."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from query_service.read_store.listed_violations import ListedViolations, listed_in
from query_service.read_store.live_generation import READ_SECONDS
from query_service.read_store.mongo_reads import MongoReads, page_of
from query_service.read_store.port import (
    AT_ONCE,
    SEVERE,
    VIOLATIONS_APART,
    Period,
    Place,
    ReadStoreUnavailable,
    ViolationCounts,
    Violations,
)
from shared.event_store.driver_errors import within
from shared.mongo import Collection as MongoCollection
from shared.mongo import Document, aggregate
from shared.read_models.documents import OTHER, SafetyDocument, ViolationDocument
from shared.read_models.models import Model
from shared.read_models.penalties import penalty


class SafetyInMongo(MongoReads):
    async def safety(self, child_id: str) -> SafetyDocument | None:
        collection = await self._collection(Model.SAFETY)
        async with within(READ_SECONDS, ReadStoreUnavailable):
            return cast(SafetyDocument | None, await collection.find_one({"_id": child_id}))

    async def violations_of(self, child_id: str) -> Violations:
        live = await self._live.kept()
        if live.projections < VIOLATIONS_APART:
            return ListedViolations(listed_in(await self.safety(child_id)))
        collection = live.generation.collection(self._database, Model.VIOLATIONS)
        return ViolationsInMongo(collection, child_id)


class ViolationsInMongo:
    """Counts by fields of the index alone: one without an outcome is open."""

    def __init__(self, collection: MongoCollection, child_id: str) -> None:
        self._collection = collection
        self._child_id = child_id

    async def page(
        self, period: Period, after: Place | None, limit: int
    ) -> Sequence[ViolationDocument]:
        wanted = [self._within({"$gte": period.since, "$lt": period.until})]
        found = await page_of(self._collection, wanted, "at", after, limit)
        return cast(list[ViolationDocument], found)

    async def count(self, period: Period, categories: Collection[str]) -> ViolationCounts:
        known = {"$in": ["$type", {"$literal": list(categories)}]}
        of_one_kind = {
            "severity": "$severity",
            "category": {"$cond": [known, "$type", OTHER]},
            "outcome": "$outcome",
            "alerted": "$alerted",
        }
        pipeline: list[Document] = [
            {"$match": self._within({"$gte": period.since, "$lt": period.until})},
            {"$group": {"_id": of_one_kind, "count": {"$sum": 1}}},
        ]
        severities, counted = Counter[str](), Counter[str]()
        still_open = told_late = 0
        async with within(READ_SECONDS, ReadStoreUnavailable):
            async for row in aggregate(self._collection, pipeline):
                kind, count = row["_id"], row["count"]
                severities[kind["severity"]] += count
                counted[kind["category"]] += count
                still_open += count if kind["outcome"] is None else 0
                is_late = kind["severity"] in SEVERE and kind["alerted"] != AT_ONCE
                told_late += count if is_late else 0
        return ViolationCounts(severities, counted, still_open, told_late)

    async def cost(self, after: datetime, up_to: datetime) -> float:
        pipeline: list[Document] = [
            {"$match": self._within({"$gt": after, "$lte": up_to})},
            {"$group": {"_id": {"s": "$severity", "o": "$outcome"}, "count": {"$sum": 1}}},
        ]
        async with within(READ_SECONDS, ReadStoreUnavailable):
            rows = [row async for row in aggregate(self._collection, pipeline)]
        costs = (penalty(row["_id"]["s"], row["_id"]["o"]) * int(row["count"]) for row in rows)
        return sum(costs)

    def _within(self, bounds: dict[str, Any]) -> Document:
        at = {operator: moment for operator, moment in bounds.items() if moment is not None}
        return {"child_id": self._child_id, **({"at": at} if at else {})}
