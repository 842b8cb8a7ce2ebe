"""Operations that administrators asked for: the command API takes a request, a worker ends it.

A request is a document in `operation_requests` beside the event store. One index makes a second
open one of the same kind impossible, whichever process is asked; another removes what ended 30 days
ago. How far an operation is, shared/read_models/operation_states.py keeps for readers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from shared.event_store.commit_documents import TIMEOUT_SECONDS, within
from shared.event_store.port import StoreUnavailable
from shared.mongo import Database, Document

COLLECTION = "operation_requests"
KEPT_SECONDS = 30 * 24 * 3_600
"""After its end; so long a repetition of the request is recognised."""

TRIES = 3


class OperationKind(StrEnum):
    REBUILD = "rebuild"
    REDRIVE_CHILDREN = "redrive-children"
    REDRIVE_NOTIFICATIONS = "redrive-notifications"
    CLEAR_CACHES = "clear-caches"


class ReadModelName(StrEnum):
    """What a rebuild may be limited to: the command side knows no more of read models."""

    CHILDREN = "children"
    CONVERSATIONS = "conversations"
    SAFETY = "safety"
    VIOLATIONS = "violations"
    ACTIVITY = "activity"
    SYSTEM = "system"
    ALERTS = "alerts"


class OperationState(StrEnum):
    REQUESTED = "requested"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """`models` of a rebuild, `child_ids` of a redrive of children; None: all of them. `from_store`:
    the event store's events are published again instead of the dead-lettered bytes."""

    id: str
    kind: OperationKind
    requested_by: str
    requested_at: datetime
    models: tuple[str, ...] | None = None
    child_ids: tuple[str, ...] | None = None
    from_store: bool = False

    def is_repeated_by(self, other: "OperationRequest") -> bool:
        """Whether `other`, of the same id, asks for the same, at whatever time."""
        return replace(other, requested_at=self.requested_at) == self


@dataclass(frozen=True, slots=True)
class Ended:
    """`state` is done or failed. `outcome`: one line for people, nothing personal."""

    state: OperationState
    outcome: str
    at: datetime

    def as_document(self) -> Document:
        return {"state": self.state, "outcome": self.outcome, "ended_at": self.at}

    @staticmethod
    def of(document: Document) -> "Ended":
        return Ended(OperationState(document["state"]), document["outcome"], document["ended_at"])


class OperationRequests(Protocol):
    """Every coroutine raises StoreUnavailable."""

    async def take(self, request: OperationRequest) -> OperationRequest | None:
        """Keep it, open; or what stands in its way: one with its id, or an open one of its kind."""

    async def open(self) -> list[OperationRequest]:
        """Those that have not ended, at most one of each kind."""

    async def end(self, operation_id: str, ended: Ended) -> None:
        """Nothing, where it has ended already."""

    async def outcomes(self, operation_ids: Collection[str]) -> Mapping[str, Ended | None]:
        """How those of them ended that are kept; None: it is open."""


class MongoOperationRequests:
    def __init__(self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._requests = database[COLLECTION]
        self._timeout = timeout_seconds

    async def take(self, request: OperationRequest) -> OperationRequest | None:
        for _ in range(TRIES):
            async with within(self._timeout):
                try:
                    await self._requests.insert_one(_to_document(request))
                except DuplicateKeyError:
                    standing = await self._standing(request)
                else:
                    return None
            if standing is not None:
                return standing  # otherwise it ended in between
        raise StoreUnavailable("MongoDB: the operation that is open is not confirmed yet")

    async def _standing(self, request: OperationRequest) -> OperationRequest | None:
        same = await self._requests.find_one({"_id": request.id})
        found = same or await self._requests.find_one({"kind": request.kind, "open": True})
        return None if found is None else _from_document(found)

    async def open(self) -> list[OperationRequest]:
        # of a kind that a newer command API knows, a newer worker takes care
        wanted = {"kind": {"$in": [*OperationKind]}, "open": True}
        async with within(self._timeout):
            found = await self._requests.find(wanted).to_list(None)
        return [_from_document(document) for document in found]

    async def end(self, operation_id: str, ended: Ended) -> None:
        change = {"open": False, **ended.as_document()}
        async with within(self._timeout):
            await self._requests.update_one({"_id": operation_id, "open": True}, {"$set": change})

    async def outcomes(self, operation_ids: Collection[str]) -> Mapping[str, Ended | None]:
        wanted = {"_id": {"$in": list(operation_ids)}}
        async with within(self._timeout):
            found = await self._requests.find(wanted).to_list(None)
        return {one["_id"]: None if one["open"] else Ended.of(one) for one in found}


async def ensure_operation_indexes(database: Database) -> None:
    """Raises StoreUnavailable."""
    requests = database[COLLECTION]
    async with within(TIMEOUT_SECONDS):
        await requests.create_index(
            [("kind", ASCENDING)],
            name="one_open_of_a_kind",
            unique=True,
            partialFilterExpression={"open": True},
        )
        await requests.create_index(
            [("ended_at", ASCENDING)], name="ended", expireAfterSeconds=KEPT_SECONDS
        )


def _to_document(request: OperationRequest) -> Document:
    return {
        "_id": request.id,
        "kind": request.kind,
        "open": True,
        "requested_by": request.requested_by,
        "requested_at": request.requested_at,
        "models": None if request.models is None else list(request.models),
        "child_ids": None if request.child_ids is None else list(request.child_ids),
        "from_store": request.from_store,
    }


def _from_document(document: Document) -> OperationRequest:
    models, child_ids = document["models"], document["child_ids"]
    return OperationRequest(
        document["_id"],
        OperationKind(document["kind"]),
        document["requested_by"],
        document["requested_at"],
        None if models is None else tuple(models),
        None if child_ids is None else tuple(child_ids),
        document["from_store"],
    )
