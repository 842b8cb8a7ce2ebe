"""Children, and lists of them, from MongoDB."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from query_service.read_store.live_generation import READ_SECONDS
from query_service.read_store.mongo_reads import MongoReads
from query_service.read_store.port import (
    VISIBLE_STATUSES,
    ChildFilter,
    Place,
    ReadStoreUnavailable,
)
from shared.event_store.driver_errors import within
from shared.mongo import Document
from shared.read_models.dead_lettered import stale_since
from shared.read_models.documents import ChildDocument
from shared.read_models.models import Model

VISIBLE: Document = {"status": {"$in": [status.value for status in VISIBLE_STATUSES]}}


class ChildrenInMongo(MongoReads):
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

    async def search(
        self, wanted: ChildFilter, after: Place | None, limit: int
    ) -> Sequence[ChildDocument]:
        found = await self._page(Model.CHILDREN, _conditions(wanted), "created_at", after, limit)
        return cast(list[ChildDocument], found)


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
