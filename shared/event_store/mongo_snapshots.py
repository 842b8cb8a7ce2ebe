"""Snapshots on MongoDB: one document a child."""

from collections.abc import Collection
from contextlib import suppress

from pymongo.errors import DuplicateKeyError

from shared.event_store.driver_errors import TIMEOUT_SECONDS, within
from shared.event_store.port import Snapshot
from shared.mongo import Database

COLLECTION = "snapshots"


class MongoSnapshotStore:
    def __init__(self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._snapshots = database[COLLECTION]
        self._timeout = timeout_seconds

    async def save(self, snapshot: Snapshot) -> None:
        older = {"_id": snapshot.child_id, "version": {"$lt": snapshot.version}}
        content = {
            "version": snapshot.version,
            "hash": snapshot.hash,
            "schema": snapshot.schema,
            "payload": snapshot.payload,
        }
        # The upsert collides with the child's document when that is not older: it is kept.
        async with within(self._timeout):
            with suppress(DuplicateKeyError):
                await self._snapshots.replace_one(older, content, upsert=True)

    async def latest(self, child_id: str) -> Snapshot | None:
        async with within(self._timeout):
            document = await self._snapshots.find_one({"_id": child_id})
        if document is None:
            return None
        return Snapshot(
            child_id=document["_id"],
            version=document["version"],
            hash=document["hash"],
            schema=document["schema"],
            payload=document["payload"],
        )

    async def delete(self, child_id: str) -> bool:
        async with within(self._timeout):
            deleted = await self._snapshots.delete_one({"_id": child_id})
        return deleted.deleted_count == 1

    async def kept_of(self, child_ids: Collection[str]) -> set[str]:
        wanted = {"_id": {"$in": list(child_ids)}}
        async with within(self._timeout):
            found = await self._snapshots.find(wanted, {"_id": 1}).to_list(None)
        return {document["_id"] for document in found}
