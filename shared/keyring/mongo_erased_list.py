"""The list of erased children on MongoDB, in the database of the keys."""

from collections.abc import Collection
from datetime import datetime

from shared.erasures.older_content import OlderContent
from shared.event_store.driver_errors import TIMEOUT_SECONDS, within
from shared.keyring.erased_list import ErasedChild, ErasureStep, StepDone
from shared.keyring.key_store import KeyStoreUnavailable
from shared.mongo import Database, Document

COLLECTION = "erased_children"


async def ensure_erased_list_index(database: Database) -> None:
    """For `since`, which every process asks all the time."""
    async with within(TIMEOUT_SECONDS, KeyStoreUnavailable):
        await database[COLLECTION].create_index([("at", 1)])


class MongoErasedList:
    """Raises KeyStoreUnavailable."""

    def __init__(self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._children = database[COLLECTION]
        self._timeout = timeout_seconds

    async def add(self, child: ErasedChild) -> None:
        content: Document = {
            "at": child.at,
            "by_role": child.by_role,
            "version": child.version,
            "hash": child.hash,
        }
        if child.older is not None:
            content["older"] = sorted(child.older)
        async with within(self._timeout, KeyStoreUnavailable):
            await self._children.update_one({"_id": child.child_id}, {"$set": content}, upsert=True)

    async def record(self, child_id: str, step: ErasureStep, done: StepDone) -> None:
        place = f"steps.{step.value}"
        removed = int(done.removed)  # True counts as 1 in Python, for MongoDB it is no number
        at = done.at if removed else {"$ifNull": [f"${place}.at", done.at]}
        so_far = {"$ifNull": [f"${place}.removed", 0]}
        change = {f"{place}.at": at, f"{place}.removed": {"$add": [so_far, removed]}}
        async with within(self._timeout, KeyStoreUnavailable):
            await self._children.update_one({"_id": child_id}, [{"$set": change}])

    async def find(self, child_ids: Collection[str]) -> list[ErasedChild]:
        async with within(self._timeout, KeyStoreUnavailable):
            found = await self._children.find({"_id": {"$in": list(child_ids)}}).to_list(None)
        return [_from_document(document) for document in found]

    async def page(self, after: str, limit: int) -> list[ErasedChild]:
        following = self._children.find({"_id": {"$gt": after}}).sort("_id").limit(limit)
        async with within(self._timeout, KeyStoreUnavailable):
            found = await following.to_list(None)
        return [_from_document(document) for document in found]

    async def since(self, moment: datetime) -> list[str]:
        async with within(self._timeout, KeyStoreUnavailable):
            found = await self._children.find({"at": {"$gte": moment}}, {"_id": 1}).to_list(None)
        return [document["_id"] for document in found]


def _from_document(document: Document) -> ErasedChild:
    steps, older = document.get("steps", {}), document.get("older")
    return ErasedChild(
        child_id=document["_id"],
        at=document["at"],
        by_role=document["by_role"],
        version=document["version"],
        hash=document["hash"],
        older=None if older is None else frozenset(map(OlderContent, older)),
        steps={ErasureStep(name): StepDone(**done) for name, done in steps.items()},
    )
