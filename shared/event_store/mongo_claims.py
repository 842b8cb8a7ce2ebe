"""Claims on MongoDB: the unique `_id` is what makes a claim unique."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

from pymongo import ASCENDING, ReturnDocument

from shared.event_store.commit_documents import (
    TIMEOUT_SECONDS,
    insert_each,
    insert_in_order,
    within,
)
from shared.event_store.group_commit import GroupCommit
from shared.event_store.port import Claim, StoreUnavailable
from shared.mongo import Database, Document

COLLECTION = "claims"

FORM = 2
"""Of reservations in one case, by children whose device id is reserved, too; older ones have none.
"""

OLDER: Document = {"form": None, "released": False}


class MongoClaimStore:
    def __init__(
        self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS, batchers: int = 2
    ) -> None:
        self._claims = database[COLLECTION]
        self._timeout = timeout_seconds
        self._group_commit = GroupCommit(self._insert, batchers)
        self._look_ups = GroupCommit(self._look_up, batchers)

    async def take(self, *claims: Claim) -> Claim | None:
        return await self._group_commit.submit(claims)

    async def find(self, key: str) -> Claim | None:
        """Together with the look-ups of others: in a burst each would want a connection, and
        PyMongo's pool does not survive that many are given up while they wait for one."""
        return await self._look_ups.submit(key)

    async def contested_for(self, held: Claim) -> timedelta:
        contested = {"contested_at": {"$ifNull": ["$contested_at", "$$NOW"]}, "seen_at": "$$NOW"}
        async with within(self._timeout):
            seen = await self._claims.find_one_and_update(
                _as_taken(held), [{"$set": contested}], return_document=ReturnDocument.AFTER
            )
        if seen is None:
            return timedelta()
        passed: timedelta = seen["seen_at"] - seen["contested_at"]
        return passed

    async def take_over(self, held: Claim, claim: Claim) -> bool:
        async with within(self._timeout):
            replaced = await self._claims.replace_one(_as_taken(held), _to_document(claim))
        return replaced.matched_count == 1

    async def release(self, key: str, child_id: str, before_version: int) -> None:
        held = {"_id": key, "child_id": child_id, "version": {"$lt": before_version}}
        async with within(self._timeout):
            await self._claims.update_one(held, {"$set": {"released": True}})

    async def older(self, after: str, limit: int) -> list[Claim]:
        wanted = {**OLDER, "_id": {"$gt": after}}
        async with within(self._timeout):
            found = (
                await self._claims.find(wanted).sort("_id", ASCENDING).limit(limit).to_list(None)
            )
        return [_from_document(document) for document in found]

    async def settle(self, key: str) -> None:
        async with within(self._timeout):
            await self._claims.update_one({"_id": key}, {"$set": {"form": FORM}})

    async def remove_of(self, child_id: str) -> int:
        async with within(self._timeout):
            return (await self._claims.delete_many({"child_id": child_id})).deleted_count

    async def held_by(self, child_ids: Collection[str]) -> set[str]:
        wanted = {"child_id": {"$in": list(child_ids)}}
        async with within(self._timeout):
            found = await self._claims.find(wanted, {"child_id": 1}).to_list(None)
        return {document["child_id"] for document in found}

    async def close(self) -> None:
        await asyncio.gather(self._group_commit.close(), self._look_ups.close())

    async def _look_up(self, keys: Sequence[str]) -> list[Claim | Exception | None]:
        async with within(self._timeout):
            standing = await self._standing(keys)
        return [standing.get(key) for key in keys]

    async def _standing(self, keys: Sequence[str]) -> dict[str, Claim]:
        documents = await self._claims.find({"_id": {"$in": list(keys)}}).to_list(None)
        return {document["_id"]: _from_document(document) for document in documents}

    async def _insert(self, wanted: Sequence[tuple[Claim, ...]]) -> list[Claim | Exception | None]:
        """Mostly nobody has any of them: then it is one insert, which ends at the first that is
        taken. So of two who want the same bear, one gets all of it."""
        outcomes: list[Claim | Exception | None] = [None] * len(wanted)
        documents = [_to_document(claim) for claims in wanted for claim in claims]
        async with within(self._timeout):
            if await insert_in_order(self._claims, documents) < len(documents):
                await self._insert_in_rounds(wanted, outcomes)
        return outcomes

    async def _insert_in_rounds(
        self, wanted: Sequence[tuple[Claim, ...]], outcomes: list[Claim | Exception | None]
    ) -> None:
        """The first claim of each, then the second of those who have their first, and so on: of
        many conflicts none costs a round trip of its own."""
        for nth in range(max(map(len, wanted))):
            places = [
                place
                for place, claims in enumerate(wanted)
                if nth < len(claims) and outcomes[place] is None
            ]
            if not places:
                return
            claims = [wanted[place][nth] for place in places]
            taken = await insert_each(self._claims, [_to_document(claim) for claim in claims])
            standing = await self._standing([claims[each].key for each in taken])
            for each in taken:
                held = standing.get(claims[each].key)
                if held is None:
                    unconfirmed = StoreUnavailable("the existing claim is not yet confirmed")
                    outcomes[places[each]] = unconfirmed
                elif held != claims[each]:
                    outcomes[places[each]] = held


def _to_document(claim: Claim) -> Document:
    return {**_as_taken(claim), "form": FORM}


def _as_taken(claim: Claim) -> Document:
    """It is contested later, and matches also then."""
    return {
        "_id": claim.key,
        "child_id": claim.child_id,
        "version": claim.version,
        "claimed_at": claim.claimed_at,
        "released": claim.released,
        "by": claim.by or None,  # as those of earlier releases, which have none
    }


def _from_document(document: Document) -> Claim:
    return Claim(
        key=document["_id"],
        child_id=document["child_id"],
        version=document["version"],
        claimed_at=document["claimed_at"],
        released=document["released"],
        contested="contested_at" in document,
        by=document.get("by") or "",
    )
