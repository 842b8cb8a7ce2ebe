"""The figures of business in MongoDB.

Each is counted where it is, so a rebuild or an erasure corrects it, and every process finds the
same. What is counted by period, but for registrations, is read from an index alone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar

from pymongo.errors import ExecutionTimeout

from query_service.read_store.business_figures import (
    A_DAY,
    RECENT,
    SOON,
    BusinessFigures,
    OpenViolations,
    Resolutions,
    two_days,
)
from query_service.read_store.mongo_queries import VISIBLE
from query_service.read_store.port import VIOLATIONS_APART
from shared.mongo import Database, Document, aggregate
from shared.read_models.deliveries import count_deliveries_since
from shared.read_models.documents import Model
from shared.read_models.generations import KeptGeneration

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FiguresInMongo:
    """`most_ms`: longest that each question may take there."""

    database: Database
    live: KeptGeneration
    most_ms: int

    async def read(self, now: datetime) -> BusinessFigures:
        """All at once; one that takes too long keeps no other back. Raises PyMongoError."""
        knows = self.live.projections >= VIOLATIONS_APART
        sent = count_deliveries_since(self.database, now - RECENT, self.most_ms)
        registrations, active, still_open, resolutions, deliveries = await asyncio.gather(
            _unless_late(self._registrations(now)),
            _unless_late(self._active_children(now)),
            _unless_late(self._open_violations() if knows else _unknown()),
            _unless_late(self._resolutions(now) if knows else _unknown()),
            _unless_late(sent),
        )
        return BusinessFigures(
            registrations=registrations,
            active_children=active,
            open_violations=still_open,
            resolutions=resolutions,
            deliveries=deliveries,
        )

    async def _registrations(self, now: datetime) -> dict[str, int]:
        yesterday, _ = two_days(now)
        since = datetime.combine(datetime.fromisoformat(yesterday), time(), UTC)
        day = {"$dateToString": {"date": "$created_at", "format": "%Y-%m-%d"}}
        pipeline: list[Document] = [
            {"$match": {**VISIBLE, "created_at": {"$gte": since, "$lt": since + 2 * A_DAY}}},
            {"$group": {"_id": day, "count": {"$sum": 1}}},
        ]
        return {one["_id"]: one["count"] async for one in self._found(Model.CHILDREN, pipeline)}

    async def _active_children(self, now: datetime) -> dict[str, int]:
        """A child has one document a day. The server's command counts the keys of an index ten
        times as fast as a pipeline does."""
        collection = self.live.generation.collection_name(Model.ACTIVITY)

        async def count(day: str) -> int:
            found = await self.database.command(
                "count",
                collection,
                query={"day": day},
                readConcern={"level": "majority"},
                maxTimeMS=self.most_ms,
            )
            return int(found["n"])

        days = two_days(now)
        counted = await asyncio.gather(*map(count, days))
        return {day: number for day, number in zip(days, counted, strict=True) if number}

    async def _open_violations(self) -> dict[str, OpenViolations]:
        counted = {"_id": "$severity", "count": {"$sum": 1}, "oldest": {"$min": "$at"}}
        pipeline: list[Document] = [{"$match": {"outcome": None}}, {"$group": counted}]
        return {
            one["_id"]: OpenViolations(one["count"], one["oldest"])
            async for one in self._found(Model.VIOLATIONS, pipeline)
        }

    async def _resolutions(self, now: datetime) -> dict[str, Resolutions]:
        took = {"$subtract": ["$resolved_at", "$at"]}
        soon = {"$cond": [{"$lte": [took, SOON // timedelta(milliseconds=1)]}, 1, 0]}
        counted = {"_id": "$severity", "count": {"$sum": 1}}
        counted |= {"soon": {"$sum": soon}, "ms": {"$sum": took}}
        pipeline: list[Document] = [
            {"$match": {"resolved_at": {"$gte": now - RECENT}}},
            {"$group": counted},
        ]
        return {
            one["_id"]: Resolutions(one["count"], one["soon"], one["ms"] / 1_000)
            async for one in self._found(Model.VIOLATIONS, pipeline)
        }

    def _found(self, model: Model, pipeline: Sequence[Document]) -> AsyncIterator[Document]:
        collection = self.live.generation.collection(self.database, model)
        return aggregate(collection, pipeline, maxTimeMS=self.most_ms)


async def _unless_late(counting: Awaitable[T]) -> T | None:
    try:
        return await counting
    except ExecutionTimeout:
        return None


async def _unknown() -> None:
    """Of read models that hold it in another place."""
