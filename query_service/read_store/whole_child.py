"""All read models of one child, page by page, in one generation.

A page is asked for by where the last one ended, so nothing is open between two pages, and what is
written meanwhile neither repeats a document nor hides one that was there before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from query_service.read_store.live_generation import reading
from query_service.read_store.port import VIOLATIONS_APART
from shared.mongo import Database, aggregate
from shared.mongo import Document as Stored
from shared.read_models.documents import Model
from shared.read_models.generations import Generation, read_catalog

Document = Mapping[str, Any]


class Part(StrEnum):
    """What is read of a child, in this order. A profile, and safety where there is any, are one
    document each."""

    PROFILE = "profile"
    SAFETY = "safety"
    VIOLATION = "violation"
    CONVERSATION = "conversation"
    ACTIVITY = "activity"
    ALERT = "alert"


SORTED_BY: Mapping[Part, str] = {
    Part.VIOLATION: "at",
    Part.CONVERSATION: "started_at",
    Part.ACTIVITY: "day",
    Part.ALERT: "raised_at",
}
"""By which field the documents of a part are sorted: set once, never changed. Ties go by `_id`,
descending, as the indexes have it from behind."""


@dataclass(frozen=True, slots=True)
class After:
    """The last document of a page: its field of SORTED_BY, and its `_id`."""

    key: datetime | str
    id: str

    @staticmethod
    def of(part: Part, document: Document) -> "After":
        return After(document[SORTED_BY[part]], document["_id"])


class GenerationGone(Exception):
    """The generation is not kept any more: what it holds is no whole child."""


class WholeChild(Protocol):
    """Every coroutine may raise ReadStoreUnavailable."""

    async def live(self) -> int:
        """The number of the generation that queries read."""

    async def is_kept(self, generation: int) -> bool:
        """Whether it can still be read."""

    async def page(
        self, generation: int, child_id: str, part: Part, after: After | None, limit: int
    ) -> Sequence[Document]:
        """At most `limit` documents of the part after `after`, the oldest first; fewer are the
        last. The safety document comes without its list of violations, in every generation they
        are a part of their own, with an `_id`. Raises GenerationGone."""


COLLECTIONS = {
    Part.PROFILE: Model.CHILDREN,
    Part.SAFETY: Model.SAFETY,
    Part.VIOLATION: Model.VIOLATIONS,
    Part.CONVERSATION: Model.CONVERSATIONS,
    Part.ACTIVITY: Model.ACTIVITY,
    Part.ALERT: Model.ALERTS,
}


class MongoWholeChild:
    """Raises ReadStoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def live(self) -> int:
        async with reading():
            return (await read_catalog(self._database)).live.number

    async def is_kept(self, generation: int) -> bool:
        return await self._projections(generation) is not None

    async def page(
        self, generation: int, child_id: str, part: Part, after: After | None, limit: int
    ) -> Sequence[Document]:
        if part not in SORTED_BY:
            found = await self._document(generation, child_id, part)
        elif part is Part.VIOLATION and not await self._are_apart(generation):
            found = await self._listed_violations(generation, child_id, after, limit)
        else:
            found = await self._documents(generation, child_id, part, after, limit)
        # It is forgotten before it is removed: whoever finds it kept behind a page has read it all.
        if not await self.is_kept(generation):
            raise GenerationGone
        return found

    async def _are_apart(self, generation: int) -> bool:
        return (await self._projections(generation) or 0) >= VIOLATIONS_APART

    async def _projections(self, generation: int) -> int | None:
        """The version of the projections that fold it; None: it is not kept."""
        async with reading():
            kept = (await read_catalog(self._database)).kept
        return next((k.projections for k in kept if k.generation.number == generation), None)

    async def _document(self, generation: int, child_id: str, part: Part) -> Sequence[Stored]:
        collection = Generation(generation).collection(self._database, COLLECTIONS[part])
        async with reading():
            return await collection.find({"_id": child_id}, {"violations": 0}).to_list(1)

    async def _documents(
        self, generation: int, child_id: str, part: Part, after: After | None, limit: int
    ) -> Sequence[Stored]:
        collection = Generation(generation).collection(self._database, COLLECTIONS[part])
        wanted = {"child_id": child_id, **_beyond(part, after)}
        found = collection.find(wanted).sort(_order(part)).limit(limit)
        async with reading():
            return await found.to_list(limit)

    async def _listed_violations(
        self, generation: int, child_id: str, after: After | None, limit: int
    ) -> Sequence[Stored]:
        """As the safety document lists them; sorted by the server, which holds it anyway."""
        collection = Generation(generation).collection(self._database, Model.SAFETY)
        own_id = {"_id": {"$concat": [{"$literal": f"{child_id}/"}, "$violations.id"]}}
        pipeline: list[Stored] = [
            {"$match": {"_id": child_id}},
            {"$project": {"violations": 1}},
            {"$unwind": "$violations"},
            {"$replaceRoot": {"newRoot": {"$mergeObjects": ["$violations", own_id]}}},
            {"$match": _beyond(Part.VIOLATION, after)},
            {"$sort": dict(_order(Part.VIOLATION))},
            {"$limit": limit},
        ]
        async with reading():
            return [one async for one in aggregate(collection, pipeline)]


def _order(part: Part) -> list[tuple[str, int]]:
    """A day is in one document only: its index ends there."""
    tie = [] if part is Part.ACTIVITY else [("_id", -1)]
    return [(SORTED_BY[part], 1), *tie]


def _beyond(part: Part, after: After | None) -> Stored:
    if after is None:
        return {}
    field = SORTED_BY[part]
    if part is Part.ACTIVITY:
        return {field: {"$gt": after.key}}
    tie: dict[str, Any] = {field: after.key, "_id": {"$lt": after.id}}
    return {field: {"$gte": after.key}, "$or": [{field: {"$gt": after.key}}, tie]}
