"""Wrapped data keys on MongoDB, in a database of their own."""

from collections.abc import Collection, Sequence

from pymongo import ReplaceOne

from shared.event_store.bulk_insert import insert_each
from shared.event_store.driver_errors import TIMEOUT_SECONDS, within
from shared.event_store.group_commit import GroupCommit
from shared.event_store.port import StoreUnavailable
from shared.keyring.provider import WrappedKey
from shared.mongo import Database, Document, aggregate

COLLECTION = "child_keys"
MAINTENANCE_SECONDS = 120.0
"""For what looks at all keys: ten millions of them take a while."""


class MongoKeyStore:
    """Inserts in groups, as the event store does. Raises StoreUnavailable."""

    def __init__(
        self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS, batchers: int = 2
    ) -> None:
        self._keys = database[COLLECTION]
        self._timeout = timeout_seconds
        self._group_commit = GroupCommit(self._insert, batchers)

    async def insert(self, key: WrappedKey) -> WrappedKey:
        return await self._group_commit.submit(key)

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        async with within(self._timeout):
            documents = await self._keys.find({"_id": {"$in": list(child_ids)}}).to_list(None)
        return [_from_document(document) for document in documents]

    async def delete(self, child_id: str) -> bool:
        async with within(self._timeout):
            deleted = await self._keys.delete_one({"_id": child_id})
        return deleted.deleted_count == 1

    async def count_by_kek(self) -> dict[str, int]:
        pipeline = [{"$group": {"_id": "$kek_id", "keys": {"$sum": 1}}}]
        async with within(MAINTENANCE_SECONDS):
            return {one["_id"]: one["keys"] async for one in aggregate(self._keys, pipeline)}

    async def not_under(self, kek_id: str, after: str, limit: int) -> list[WrappedKey]:
        wanted = {"_id": {"$gt": after}, "kek_id": {"$ne": kek_id}}
        async with within(MAINTENANCE_SECONDS):
            found = await self._keys.find(wanted).sort("_id").limit(limit).to_list(None)
        return [_from_document(document) for document in found]

    async def replace(self, exchanges: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        writes = [ReplaceOne(_to_document(old), _to_document(new)) for old, new in exchanges]
        async with within(self._timeout):
            return (await self._keys.bulk_write(writes, ordered=False)).modified_count

    async def close(self) -> None:
        await self._group_commit.close()

    async def _insert(self, keys: Sequence[WrappedKey]) -> list[WrappedKey | Exception]:
        outcomes: list[WrappedKey | Exception] = list(keys)
        async with within(self._timeout):
            taken = await insert_each(self._keys, [_to_document(key) for key in keys])
        if taken:
            found = await self.find([keys[place].child_id for place in taken])
            existing = {key.child_id: key for key in found}
            gone = StoreUnavailable("the child's key was destroyed meanwhile")
            for place in taken:
                outcomes[place] = existing.get(keys[place].child_id, gone)
        return outcomes


def _to_document(key: WrappedKey) -> Document:
    return {"_id": key.child_id, "kek_id": key.kek_id, "wrapped": key.wrapped}


def _from_document(document: Document) -> WrappedKey:
    return WrappedKey(document["_id"], document["kek_id"], document["wrapped"])
