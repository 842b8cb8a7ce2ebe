"""A child's violations: a document each in MongoDB, or a list in the child's safety document."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from query_service.read_store.live_generation import reading
from query_service.read_store.mongo_queries import page_of
from query_service.read_store.port import AT_ONCE, SEVERE, PageEnd, Period, ViolationCounts
from shared.mongo import Collection as MongoCollection
from shared.mongo import Document, aggregate
from shared.read_models.documents import OTHER, SafetyDocument, ViolationDocument, ViolationEntry
from shared.read_models.formulas import penalty


class ViolationsInMongo:
    """Counts by fields of the index alone: one without an outcome is open."""

    def __init__(self, collection: MongoCollection, child_id: str) -> None:
        self._collection = collection
        self._child_id = child_id

    async def page(
        self, period: Period, after: PageEnd | None, limit: int
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
        async with reading():
            async for row in aggregate(self._collection, pipeline):
                kind, count = row["_id"], row["count"]
                severities[kind["severity"]] += count
                counted[kind["category"]] += count
                still_open += count if kind["outcome"] is None else 0
                is_late = kind["severity"] in SEVERE and kind["alerted"] != AT_ONCE
                told_late += count if is_late else 0
        return ViolationCounts(severities, counted, still_open, told_late)

    async def by_day(self, period: Period) -> Mapping[str, Mapping[str, int]]:
        day = {"$dateToString": {"date": "$at", "format": "%Y-%m-%d"}}
        pipeline: list[Document] = [
            {"$match": self._within({"$gte": period.since, "$lt": period.until})},
            {"$group": {"_id": {"day": day, "severity": "$severity"}, "count": {"$sum": 1}}},
        ]
        counted: defaultdict[str, dict[str, int]] = defaultdict(dict)
        async with reading():
            async for row in aggregate(self._collection, pipeline):
                counted[row["_id"]["day"]][row["_id"]["severity"]] = row["count"]
        return counted

    async def cost(self, after: datetime, up_to: datetime) -> float:
        pipeline: list[Document] = [
            {"$match": self._within({"$gt": after, "$lte": up_to})},
            {"$group": {"_id": {"s": "$severity", "o": "$outcome"}, "count": {"$sum": 1}}},
        ]
        async with reading():
            rows = [row async for row in aggregate(self._collection, pipeline)]
        return sum(penalty(row["_id"]["s"], row["_id"]["o"]) * int(row["count"]) for row in rows)

    def _within(self, bounds: dict[str, Any]) -> Document:
        at = {operator: moment for operator, moment in bounds.items() if moment is not None}
        return {"child_id": self._child_id, **({"at": at} if at else {})}


class ListedViolations:
    """All of them, in any order.

    So read models of projections before 7 hold them, all in the child's safety document: as long as
    such a generation is live, they are read from there."""

    def __init__(self, violations: Iterable[ViolationDocument]) -> None:
        self._newest_first = sorted(violations, key=_rank_of)

    async def page(
        self, period: Period, after: PageEnd | None, limit: int
    ) -> Sequence[ViolationDocument]:
        found = [one for one in self._newest_first if period.includes(one["at"])]
        if after is not None:
            found = [one for one in found if _rank_of(one) > _rank(after.at, after.id)]
        return found[:limit]

    async def count(self, period: Period, categories: Collection[str]) -> ViolationCounts:
        return counts_of((v for v in self._newest_first if period.includes(v["at"])), categories)

    async def by_day(self, period: Period) -> Mapping[str, Mapping[str, int]]:
        counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for one in (each for each in self._newest_first if period.includes(each["at"])):
            counted[one["at"].astimezone(UTC).date().isoformat()][one["severity"]] += 1
        return counted

    async def cost(self, after: datetime, up_to: datetime) -> float:
        found = (one for one in self._newest_first if after < one["at"] <= up_to)
        return sum(penalty(one["severity"], one["outcome"]) for one in found)


def counts_of(
    violations: Iterable[ViolationDocument], categories: Collection[str]
) -> ViolationCounts:
    """As `Violations.count`, of all these."""
    counted = list(violations)
    late = (v for v in counted if v["severity"] in SEVERE and v["alerted"] != AT_ONCE)
    return ViolationCounts(
        Counter(one["severity"] for one in counted),
        Counter(one["type"] if one["type"] in categories else OTHER for one in counted),
        sum(1 for one in counted if one["resolved_at"] is None),
        sum(1 for _ in late),
    )


def listed_in(safety: SafetyDocument | None) -> list[ViolationDocument]:
    """The violations that stand in a safety document, as documents of their own."""
    entries = safety.get("violations", []) if safety else []
    return [] if safety is None else [_document(safety["_id"], entry) for entry in entries]


def _document(child_id: str, entry: ViolationEntry) -> ViolationDocument:
    """What the oldest ones do not know was alerted at once and not acknowledged."""
    oldest = {"alerted": AT_ONCE, "acknowledged_at": None}
    own = {"_id": f"{child_id}/{entry['id']}", "child_id": child_id}
    return cast(ViolationDocument, {**oldest, **entry, **own})


def _rank_of(violation: ViolationDocument) -> tuple[float, str]:
    return _rank(violation["at"], violation["_id"])


def _rank(at: datetime, identity: str) -> tuple[float, str]:
    return -at.timestamp(), identity
