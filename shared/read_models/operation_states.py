"""How far the operations are that administrators asked for, beside the generations of the read
models: `{_id, kind, requested_by, requested_at, state, attempts, live, started_at, ended_at, done,
total, outcome}` in `operations`. The newest 50 are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from pymongo import ReturnDocument, UpdateOne

from shared.mongo import Collection, Database, Document
from shared.operations import Ended, OperationRequest, OperationState

COLLECTION = "operations"
KEPT = 50
OPEN: Document = {"state": {"$in": [OperationState.REQUESTED, OperationState.RUNNING]}}
NEWEST_FIRST = [("requested_at", -1), ("_id", 1)]


@dataclass(frozen=True, slots=True)
class OperationStanding:
    """`kind` and `state` are as they are written: a newer release may know more of both, and one
    that this release does not know must not hide the others. `done` of `total`: events or children
    or notifications; None until that is known."""

    operation_id: str
    kind: str
    requested_by: str
    requested_at: datetime
    state: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    done: int | None = None
    total: int | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """`number` counts from 1. `live`: the generation that was live when the first one began."""

    number: int
    live: int


class OperationStates:
    """Written by workers. Every coroutine raises PyMongoError."""

    def __init__(self, database: Database) -> None:
        self._operations: Collection = database[COLLECTION]

    async def note_requested(self, requests: Sequence[OperationRequest]) -> None:
        """What is noted already stays as it is; of ended ones the newest `KEPT` stay."""
        if not requests:
            return
        writes = [UpdateOne({"_id": one.id}, {"$setOnInsert": _new(one)}, True) for one in requests]
        if (await self._operations.bulk_write(writes, ordered=False)).upserted_count:
            ended = self._operations.find({"state": {"$nin": OPEN["state"]["$in"]}}, {"_id": 1})
            old = await ended.sort(NEWEST_FIRST).skip(KEPT).to_list(None)
            await self._operations.delete_many({"_id": {"$in": [one["_id"] for one in old]}})

    async def unended(self) -> list[str]:
        found = await self._operations.find(OPEN, {"_id": 1}).to_list(None)
        return [one["_id"] for one in found]

    async def begin(self, operation_id: str, live: int) -> Attempt | None:
        """It is running, once more; None where it has ended. `live`: the generation."""
        change = {
            "state": OperationState.RUNNING,
            "started_at": {"$ifNull": ["$started_at", "$$NOW"]},
            "attempts": {"$add": [{"$ifNull": ["$attempts", 0]}, 1]},
            "live": {"$ifNull": ["$live", live]},
        }
        begun = await self._operations.find_one_and_update(
            {"_id": operation_id, **OPEN},
            [{"$set": change}],
            return_document=ReturnDocument.AFTER,
        )
        return None if begun is None else Attempt(begun["attempts"], begun["live"])

    async def interrupted(self, operation_id: str) -> None:
        """The attempt does not count: its worker was asked to stop."""
        await self._operations.update_one({"_id": operation_id}, {"$inc": {"attempts": -1}})

    async def progress(self, operation_id: str, done: int, total: int) -> None:
        change = {"$set": {"done": done, "total": total}}
        await self._operations.update_one({"_id": operation_id, **OPEN}, change)

    async def end(self, operation_id: str, ended: Ended) -> None:
        change = {"$set": ended.as_document()}
        await self._operations.update_one({"_id": operation_id, **OPEN}, change)

    async def ended(self, operation_id: str) -> Ended | None:
        """How it did, where that is known."""
        ended = {"state": {"$in": [OperationState.DONE, OperationState.FAILED]}}
        found = await self._operations.find_one({"_id": operation_id, **ended})
        return None if found is None else Ended.of(found)


async def newest_operations(database: Database, limit: int) -> list[OperationStanding]:
    """Raises PyMongoError."""
    found = database[COLLECTION].find().sort(NEWEST_FIRST).limit(limit)
    return [_standing(document) for document in await found.to_list(limit)]


def _new(request: OperationRequest) -> Document:
    return {
        "kind": request.kind,
        "requested_by": request.requested_by,
        "requested_at": request.requested_at,
        "state": OperationState.REQUESTED,
    }


def _standing(document: Document) -> OperationStanding:
    names = {one.name for one in fields(OperationStanding)} - {"operation_id"}
    values = {name: document[name] for name in names if name in document}
    return OperationStanding(operation_id=document["_id"], **values)
