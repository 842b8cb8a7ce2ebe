"""Where wrapped data keys are kept, one a child."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from pymongo import ReplaceOne

from shared.event_store.commit_documents import TIMEOUT_SECONDS, insert_each, within
from shared.event_store.group_commit import GroupCommit
from shared.event_store.port import StoreUnavailable
from shared.mongo import Database, Document, aggregate


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A child's data key, encrypted under the key-encryption key named `kek_id`."""

    child_id: str
    kek_id: str
    wrapped: bytes


class KeyStoreUnavailable(StoreUnavailable):
    """The database of the keys did not answer in time."""


class KeyDestroyed(Exception):
    """The child's key was destroyed: the child gets no other one, ever."""

    def __init__(self, child_id: str) -> None:
        super().__init__(f"the key of child {child_id} was destroyed")


COLLECTION = "child_keys"
MAINTENANCE_SECONDS = 120.0
"""For what looks at all keys: ten millions of them take a while."""


class KeyStore(Protocol):
    async def insert(self, key: WrappedKey) -> WrappedKey:
        """Keep `key` durably and return it, or return the one the child already has.

        Raises KeyDestroyed.
        """

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        """The keys of those children that have one."""

    async def destroy(self, child_id: str) -> bool:
        """Put a tombstone in the key's place, which no `insert` passes; False when there was no
        key to destroy."""

    async def destroyed(self, child_ids: Collection[str]) -> set[str]:
        """Those of `child_ids` at whose key's place the tombstone stands."""

    async def count_by_kek(self, seconds: float = MAINTENANCE_SECONDS) -> dict[str, int]:
        """How many data keys are wrapped under each key-encryption key, by its id. It looks at all
        of them, for so many `seconds` at most."""

    async def not_under(self, kek_id: str, after: str, limit: int) -> list[WrappedKey]:
        """At most `limit` keys wrapped under another one, in order of child, from `after` on."""

    async def replace(self, exchanges: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        """Put each second key in place of the first, where that still stands; how many did."""


class MongoKeyStore:
    """Inserts in groups, as the event store does. Raises KeyStoreUnavailable.

    A key that is destroyed leaves a document without `wrapped`: whoever inserts the child's key at
    the same moment collides with it, without having to look first.
    """

    def __init__(
        self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS, batchers: int = 2
    ) -> None:
        self._keys = database[COLLECTION]
        self._timeout = timeout_seconds
        self._group_commit = GroupCommit(self._insert, batchers)

    async def insert(self, key: WrappedKey) -> WrappedKey:
        return await self._group_commit.submit(key)

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        documents = await self._documents(child_ids)
        return [_from_document(document) for document in documents if "wrapped" in document]

    async def destroy(self, child_id: str) -> bool:
        place = {"_id": child_id}
        async with within(self._timeout, KeyStoreUnavailable):
            before = await self._keys.find_one_and_replace(place, place, upsert=True)
        return before is not None and "wrapped" in before

    async def destroyed(self, child_ids: Collection[str]) -> set[str]:
        wanted = {"_id": {"$in": list(child_ids)}, "wrapped": {"$exists": False}}
        async with within(self._timeout, KeyStoreUnavailable):
            found = await self._keys.find(wanted, {"_id": 1}).to_list(None)
        return {document["_id"] for document in found}

    async def count_by_kek(self, seconds: float = MAINTENANCE_SECONDS) -> dict[str, int]:
        pipeline: list[Document] = [
            {"$match": {"kek_id": {"$exists": True}}},
            {"$group": {"_id": "$kek_id", "keys": {"$sum": 1}}},
        ]
        # also there: a server goes on counting for who has left
        counted = aggregate(self._keys, pipeline, maxTimeMS=round(seconds * 1_000))
        async with within(seconds, KeyStoreUnavailable):
            return {one["_id"]: one["keys"] async for one in counted}

    async def not_under(self, kek_id: str, after: str, limit: int) -> list[WrappedKey]:
        wanted = {"_id": {"$gt": after}, "kek_id": {"$ne": kek_id, "$exists": True}}
        async with within(MAINTENANCE_SECONDS, KeyStoreUnavailable):
            found = await self._keys.find(wanted).sort("_id").limit(limit).to_list(None)
        return [_from_document(document) for document in found]

    async def replace(self, exchanges: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        writes = [ReplaceOne(_to_document(old), _to_document(new)) for old, new in exchanges]
        async with within(self._timeout, KeyStoreUnavailable):
            return (await self._keys.bulk_write(writes, ordered=False)).modified_count

    async def close(self) -> None:
        await self._group_commit.close()

    async def _insert(self, keys: Sequence[WrappedKey]) -> list[WrappedKey | Exception]:
        outcomes: list[WrappedKey | Exception] = list(keys)
        async with within(self._timeout, KeyStoreUnavailable):
            taken = await insert_each(self._keys, [_to_document(key) for key in keys])
        if taken:
            children = [keys[place].child_id for place in taken]
            standing = {one["_id"]: one for one in await self._documents(children)}
            for place, child_id in zip(taken, children, strict=True):
                outcomes[place] = _outcome(child_id, standing.get(child_id))
        return outcomes

    async def _documents(self, child_ids: Collection[str]) -> list[Document]:
        async with within(self._timeout, KeyStoreUnavailable):
            return await self._keys.find({"_id": {"$in": list(child_ids)}}).to_list(None)


def _outcome(child_id: str, standing: Document | None) -> WrappedKey | Exception:
    if standing is None:
        return KeyStoreUnavailable("the existing key is not yet confirmed by the majority")
    return _from_document(standing) if "wrapped" in standing else KeyDestroyed(child_id)


def _to_document(key: WrappedKey) -> Document:
    return {"_id": key.child_id, "kek_id": key.kek_id, "wrapped": key.wrapped}


def _from_document(document: Document) -> WrappedKey:
    return WrappedKey(document["_id"], document["kek_id"], document["wrapped"])
