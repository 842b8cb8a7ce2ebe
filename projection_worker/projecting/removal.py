"""What is removed from the read models: all of an erased child, and what nobody keeps any more.

However much there is, no transaction holds more than a step of it. An erased child's own document
comes last, as a tombstone and by whoever asked for the removal: killed in between, the worker is
handed the erasure again and goes on with what is left. Until then it has a field `removed`, which
counts what went. What an older copy of the databases brings back is looked for when a worker
starts."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Collection as AnyCollection
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne

from projection_worker.dead_letters.store import DEAD_LETTERS, PARKED_CHILDREN
from projection_worker.records import Delivered, RawRecord, deliver
from shared.clock import Clock
from shared.event_store.envelope import RecordedEvent
from shared.event_store.port import EventStore
from shared.events.child import ERASED
from shared.fault_points import FaultPoint, reached
from shared.kafka import CHILD_EVENTS
from shared.keyring.erased_list import ErasedChild, ErasedList, ErasureStep, StepDone
from shared.mongo import Collection, Database, Document, Mongo, Session
from shared.read_models.deliveries import deliveries
from shared.read_models.documents import ChildStatus, Model
from shared.read_models.generations import RetentionCutoff, read_catalog
from shared.serialization.cloud_events import to_record


@dataclass(frozen=True, slots=True)
class Erasure:
    """A child whose stream ended at `version`, and how many of its documents were removed."""

    child_id: str
    version: int
    removed: int = 0


STEP_DOCUMENTS = 1_000
OF_A_CHILD = (Model.CONVERSATIONS, Model.SAFETY, Model.VIOLATIONS, Model.ACTIVITY, Model.ALERTS)


def documents_beside(*child_ids: str) -> dict[Model, Document]:
    """How the documents of these children are found in each model, beside their own in
    `children`."""
    theirs = {"$in": list(child_ids)}
    owner = {Model.SAFETY: "_id"}
    return {model: {owner.get(model, "child_id"): theirs} for model in OF_A_CHILD}


@dataclass(frozen=True, slots=True)
class Removal:
    """Of one generation, and of the deliveries of alerts, which all generations have in common."""

    mongo: Mongo
    database: Database
    collections: Mapping[Model, Collection]

    async def of(self, child_ids: AnyCollection[str]) -> None:
        """Returns once nothing is there any more. How many documents of a child went is counted in
        its own, deliveries left out."""
        for model, wanted in documents_beside(*child_ids).items():
            while await self._step(self.collections[model], wanted, counted=True):
                reached(FaultPoint.WORKER_MID_ERASURE)
        theirs = {"child_id": {"$in": list(child_ids)}}
        while await self._step(deliveries(self.database), theirs, counted=False):
            reached(FaultPoint.WORKER_MID_ERASURE)

    async def counted(self, child_ids: AnyCollection[str], session: Session) -> dict[str, int]:
        """How many documents of each child were removed, with its own; 0 without one."""
        theirs = {"_id": {"$in": list(child_ids)}}
        found = self.collections[Model.CHILDREN].find(theirs, {"removed": 1}, session=session)
        there = {one["_id"]: 1 + one.get("removed", 0) for one in await found.to_list(None)}
        return {child_id: there.get(child_id, 0) for child_id in child_ids}

    async def _step(self, collection: Collection, wanted: Document, *, counted: bool) -> bool:
        """Whether there was anything to remove."""
        some = collection.find(wanted, {"child_id": 1}).limit(STEP_DOCUMENTS)
        found = await some.to_list(None)
        if not found:
            return False
        async with self.mongo.transaction() as session:
            there = {"_id": {"$in": [one["_id"] for one in found]}}
            await collection.delete_many(there, session=session)
            if counted:
                owners = Counter(one.get("child_id", one["_id"]) for one in found)
                counts = [
                    UpdateOne({"_id": child_id}, {"$inc": {"removed": count}})
                    for child_id, count in owners.items()
                ]
                await self.collections[Model.CHILDREN].bulk_write(counts, session=session)
        return True


PAGE = 1_000
NO_PARTITION = -1
"""Of a record that comes from the event store."""

ReadErasures = Callable[[], Awaitable[AnyCollection[str]]]
"""The erased children that the topic of erasures names."""


@dataclass(frozen=True, slots=True)
class ErasedChildren:
    """Also what an older copy of the databases brings back: a worker looks for it at its start."""

    database: Database
    store: EventStore
    erased: ErasedList
    read_erasures: ReadErasures
    clock: Clock

    async def note(self, erasures: Sequence[Erasure]) -> None:
        """Remove what is dead-lettered of them, and put down what was removed.

        Raises StoreUnavailable or PyMongoError: do it again then."""
        for erasure in erasures:
            letters = await self._remove_dead_lettered([erasure.child_id])
            for commit in await self.store.load(erasure.child_id, erasure.version - 1, 1):
                # whoever erased may have died before this
                await self.erased.add(ErasedChild.of(commit))
            for step, removed in (
                (ErasureStep.READ_MODELS, erasure.removed),
                (ErasureStep.DEAD_LETTERS, letters),
            ):
                done = StepDone(self.clock(), removed)
                await self.erased.record(erasure.child_id, step, done)

    async def to_reapply(self) -> AsyncIterator[list[Delivered]]:
        """The erasures that some kept generation does not know, to be projected again."""
        known = set(await self.read_erasures())
        after = ""
        while page := await self.erased.page(after, PAGE):
            after = page[-1].child_id
            known.update(child.child_id for child in page)
        everybody = sorted(known)
        for first in range(0, len(everybody), PAGE):
            some = everybody[first : first + PAGE]
            await self._remove_dead_lettered(some)
            alive = await self._not_tombstones(some)
            if batch := await self._endings(sorted(alive)):
                yield batch

    async def _remove_dead_lettered(self, child_ids: AnyCollection[str]) -> int:
        of_them = {"child_id": {"$in": list(child_ids)}}
        removed = await self.database[DEAD_LETTERS].delete_many(of_them)
        await self.database[PARKED_CHILDREN].delete_many(of_them)
        return removed.deleted_count

    async def _not_tombstones(self, child_ids: Sequence[str]) -> set[str]:
        wanted = {"_id": {"$in": list(child_ids)}, "status": {"$ne": ChildStatus.ERASED.value}}
        found: set[str] = set()
        for kept in (await read_catalog(self.database)).kept:
            children = kept.generation.collection(self.database, Model.CHILDREN)
            found.update(
                one["_id"] for one in await children.find(wanted, {"_id": 1}).to_list(None)
            )
        return found

    async def _endings(self, child_ids: Sequence[str]) -> list[Delivered]:
        """Without those whose stream has no end: the relay erases them first, and the event comes
        by the topic."""
        erasures = await self.store.erasures(child_ids)
        return [
            _delivered([event for event in commit.recorded_events() if event.type == ERASED][-1])
            for _, commit in sorted(erasures.items())
        ]


def _delivered(event: RecordedEvent) -> Delivered:
    record = to_record(event)
    return deliver(
        RawRecord(
            CHILD_EVENTS.name,
            NO_PARTITION,
            event.version,
            record.key,
            record.value,
            tuple(record.headers),
        )
    )


BATCH = 1_000
WHEN = {Model.ACTIVITY: "day", Model.ALERTS: "raised_at"}


@dataclass(frozen=True, slots=True)
class Behind:
    """Documents of a model older than a cutoff, in all kept generations together; `oldest`
    is the oldest one's day or time."""

    documents: int
    oldest: Any = None


async def behind(database: Database, cutoff: RetentionCutoff) -> dict[Model, Behind]:
    found = {}
    for model, condition in cutoff.behind().items():
        counted, oldest = 0, []
        for collection in await _collections(database, model):
            counted += await collection.count_documents(condition)
            first = await collection.find_one(condition, sort=[(WHEN[model], 1)])
            oldest += [first[WHEN[model]]] if first else []
        found[model] = Behind(counted, min(oldest, default=None))
    return found


async def purge(database: Database, cutoff: RetentionCutoff) -> dict[Model, int]:
    """Delete it, a thousand documents at a time; how many were deleted. The cutoff is
    stored already, so that no process writes them again."""
    gone = {}
    for model, condition in cutoff.behind().items():
        gone[model] = 0
        for collection in await _collections(database, model):
            gone[model] += await _purge(collection, condition)
    if Model.ALERTS in gone:
        # what became of an alert goes with it
        await _purge(deliveries(database), cutoff.behind()[Model.ALERTS])
    return gone


async def _collections(database: Database, model: Model) -> list[Collection]:
    catalog = await read_catalog(database)
    return [one.generation.collection(database, model) for one in catalog.kept]


async def _purge(collection: Collection, condition: Document) -> int:
    gone = 0
    while found := await collection.find(condition, {"_id": 1}).limit(BATCH).to_list(None):
        ids = [document["_id"] for document in found]
        gone += (await collection.delete_many({"_id": {"$in": ids}})).deleted_count
    return gone
