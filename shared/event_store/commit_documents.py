"""Commits as MongoDB documents, inserted in bulk, and what the driver's errors mean."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from pymongo.errors import BulkWriteError, PyMongoError

from shared.event_store.envelope import (
    Actor,
    Causality,
    Commit,
    EncodedEvent,
    Idempotency,
    RecordedEvent,
    StreamPosition,
)
from shared.event_store.port import StoreUnavailable
from shared.mongo import Collection, Document
from shared.tasks import TimeLimit

TIMEOUT_SECONDS = 10.0


class _Within(TimeLimit):
    __slots__ = ("_unavailable",)

    def __init__(self, seconds: float, unavailable: type[StoreUnavailable]) -> None:
        super().__init__(seconds)
        self._unavailable = unavailable

    def late(self) -> StoreUnavailable:
        return self._unavailable(f"MongoDB: no answer within {self._seconds:g} s")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        if isinstance(error, PyMongoError):
            raise self._unavailable(f"MongoDB: {type(error).__name__}") from error


def within(
    seconds: float, unavailable: type[StoreUnavailable] = StoreUnavailable
) -> AbstractAsyncContextManager[None]:
    """Bound the block by `seconds`; running out of time and driver errors are `unavailable`.

    Not pymongo.timeout: that also stretches the search for a server, which ought to fail early.
    """
    return _Within(seconds, unavailable)


DUPLICATE_KEY = 11_000


async def insert_each(collection: Collection, documents: Sequence[Document]) -> list[int]:
    """Insert what can be inserted; the places in `documents` of those whose key was taken.

    Raises BulkWriteError when the server refused one for another reason, or did not confirm that
    the majority has them.
    """
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        refused = error.details["writeErrors"]
        taken = [each["index"] for each in refused if each["code"] == DUPLICATE_KEY]
        if len(taken) < len(refused) or error.details["writeConcernErrors"]:
            raise
        return taken
    return []


async def insert_in_order(collection: Collection, documents: Sequence[Document]) -> int:
    """Insert `documents` up to the first whose key was taken; how many were inserted.

    Raises BulkWriteError as `insert_each` does.
    """
    try:
        await collection.insert_many(documents, ordered=True)
    except BulkWriteError as error:
        refused = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or refused[0]["code"] != DUPLICATE_KEY:
            raise
        return int(refused[0]["index"])
    return len(documents)


COLLECTION = "commits"


def to_document(commit: Commit) -> Document:
    document: Document = {
        "_id": commit.place,
        "child_id": commit.child_id,
        "first_version": commit.first_version,
        "events": [
            {
                "type": event.type,
                "schema_version": event.schema_version,
                "occurred_at": event.occurred_at,
                "data": event.data,
            }
            for event in commit.events
        ],
        "recorded_at": commit.recorded_at,
        "actor": {"subject": commit.actor.subject, "role": commit.actor.role},
        "causality": {
            "correlation_id": commit.causality.correlation_id,
            "causation_id": commit.causality.causation_id,
            "traceparent": commit.causality.traceparent,
        },
        "result": commit.result,
        "previous_hash": commit.previous_hash,
        "hash": commit.hash,
    }
    if commit.idempotency is not None:
        document["idempotency"] = {
            "key": commit.idempotency.key,
            "fingerprint": commit.idempotency.fingerprint,
        }
    return document


def from_document(document: Document) -> Commit:
    idempotency = document.get("idempotency")
    return Commit(
        child_id=document["child_id"],
        expected=StreamPosition(document["first_version"] - 1, document["previous_hash"]),
        events=tuple(EncodedEvent(**event) for event in document["events"]),
        recorded_at=document["recorded_at"],
        actor=Actor(**document["actor"]),
        causality=Causality(**document["causality"]),
        idempotency=Idempotency(**idempotency) if idempotency else None,
        result=document["result"],
        hash=document["hash"],
    )


PUBLISHED_FIELDS = ("child_id", "first_version", "events", "recorded_at", "causality")
"""What `recorded_events` needs of a document."""


def recorded_events(document: Document) -> Iterator[RecordedEvent]:
    """As `from_document(document).recorded_events()`, at half the cost: the relay's hot path."""
    for version, event in enumerate(document["events"], document["first_version"]):
        yield RecordedEvent(
            child_id=document["child_id"],
            version=version,
            recorded_at=document["recorded_at"],
            **event,
            **document["causality"],
        )
