"""The read models as the projector loads and writes them: one batch, one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, cast

from pymongo import InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from projection_worker.projecting.alerts import AlertsToPublish, BeforeLive
from projection_worker.projecting.removal import Removal
from projection_worker.projecting.unstorable import OF_THE_DRIVER, unstorable
from projection_worker.projections.registry import ChildView, Place, change
from shared.clock import Clock, utc_now
from shared.fault_points import FaultPoint, reached
from shared.mongo import Collection, Database, Document, Mongo, Session
from shared.read_models.deliveries import added_once, deliveries, deliveries_of
from shared.read_models.documents import ChildDocument, Model
from shared.read_models.generations import Generation, RetentionCutoff, read_cutoff
from shared.read_models.indexes import stale_since

Write = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | UpdateMany


@dataclass(frozen=True, slots=True)
class FoldedChild:
    """A child before and after a batch, and the counter shard that the difference goes to."""

    before: ChildDocument | None
    view: ChildView
    shard: str

    @property
    def child_id(self) -> str:
        assert self.view.child is not None
        return self.view.child["_id"]


@dataclass(slots=True)
class Writes:
    by_model: dict[Model, list[Write]] = field(default_factory=lambda: defaultdict(list))
    replaced_children: int = 0
    deliveries: list[UpdateOne] = field(default_factory=list)


def writes_of(
    folded: Sequence[FoldedChild],
    cutoff: RetentionCutoff,
    marks: Mapping[str, Document],
    now: datetime,
) -> Writes:
    """What a batch changes, as operations of one transaction. `marks`: what stands in each alert
    beside what events say, by its id."""
    writes = Writes()
    counters: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in folded:
        _add_child(writes, one, cutoff)
        _add_alerts(writes, one, cutoff, marks, now)
        _acknowledge_alerts(writes, one)
        assert one.view.child is not None
        for name, count in change(one.before, one.view.child).items():
            counters[one.shard][name] += count
    for shard, counts in counters.items():
        moved = {f"counters.{name}": count for name, count in counts.items() if count}
        if moved:
            writes.by_model[Model.SYSTEM].append(
                UpdateOne({"_id": shard}, {"$inc": moved}, upsert=True)
            )
    return writes


def _add_child(writes: Writes, one: FoldedChild, cutoff: RetentionCutoff) -> None:
    child = cast(Document, one.view.child)
    if one.before is None:
        writes.by_model[Model.CHILDREN].append(InsertOne(child))
    else:
        at_version = {"_id": child["_id"], "version": one.before["version"]}
        writes.by_model[Model.CHILDREN].append(ReplaceOne(at_version, child))
        writes.replaced_children += 1
    for model, key in one.view.changed:
        document = one.view.documents[model, key]
        if cutoff.keeps(model, document):
            writes.by_model[model].append(ReplaceOne({"_id": key}, document, upsert=True))


def _add_alerts(
    writes: Writes,
    one: FoldedChild,
    cutoff: RetentionCutoff,
    marks: Mapping[str, Document],
    now: datetime,
) -> None:
    for alert in (each for each in one.view.alerts if cutoff.keeps(Model.ALERTS, each)):
        insert = {"$setOnInsert": {**alert, **marks.get(alert["_id"], {})}}
        writes.by_model[Model.ALERTS].append(UpdateOne({"_id": alert["_id"]}, insert, upsert=True))
        writes.deliveries += [added_once(fresh) for fresh in deliveries_of(alert, now)]


def _acknowledge_alerts(writes: Writes, one: FoldedChild) -> None:
    """Those that were raised before; the others say it themselves."""
    if one.before is None:
        return
    raised_now: dict[str, list[str]] = defaultdict(list)
    for alert in one.view.alerts:
        raised_now[alert["violation_id"]].append(alert["_id"])
    for violation_id, at in one.view.acknowledged.items():
        unread = {
            "child_id": one.child_id,
            "violation_id": violation_id,
            "acknowledged_at": None,
            "_id": {"$nin": raised_now.get(violation_id, [])},
        }
        writes.by_model[Model.ALERTS].append(UpdateMany(unread, {"$set": {"acknowledged_at": at}}))


DUPLICATE_KEY = 11000
WRITE_CONFLICT = 112
TRANSIENT = "TransientTransactionError"


class StaleBatch(Exception):
    """Another worker wrote one of the batch's children first; nothing of the batch was written."""


@dataclass(slots=True, eq=False)
class ReadModelStore:
    """One generation of read models. `before_live`: it is not live, and nobody is notified of its
    alerts; None: it is."""

    mongo: Mongo
    database: Database
    generation: Generation
    mid_transaction: FaultPoint = FaultPoint.WORKER_MID_TRANSACTION
    _: KW_ONLY
    before_live: BeforeLive | None = None
    clock: Clock = utc_now
    alerts: AlertsToPublish = field(init=False)
    _collections: Mapping[Model, Collection] = field(init=False)
    _removal: Removal = field(init=False)

    def __post_init__(self) -> None:
        self._collections = self.generation.collections(self.database)
        self.alerts = AlertsToPublish(self.database, self._collections[Model.ALERTS])
        self._removal = Removal(self.mongo, self.database, self._collections)

    async def children(self, child_ids: AnyCollection[str]) -> dict[str, ChildDocument]:
        found = await self._find(Model.CHILDREN, {"_id": {"$in": list(child_ids)}})
        return {document["_id"]: cast(ChildDocument, document) for document in found}

    async def dead_lettered(self, child_ids: AnyCollection[str]) -> AnyCollection[str]:
        """Those of `child_ids` of whom a record is dead-lettered."""
        return await stale_since(self.database, self.generation, child_ids)

    async def documents(self, places: Iterable[Place]) -> dict[Place, Any]:
        """The documents that exist at `places`: one round trip a model, all at the same time."""
        wanted: dict[Model, list[str]] = defaultdict(list)
        for model, key in places:
            wanted[model].append(key)
        found = await asyncio.gather(
            *(self._find(model, {"_id": {"$in": keys}}) for model, keys in wanted.items())
        )
        return {
            (model, document["_id"]): document
            for model, documents in zip(wanted, found, strict=True)
            for document in documents
        }

    async def write(self, folded: Sequence[FoldedChild]) -> dict[str, int]:
        """All of it in one transaction, without what is older than the cutoff. Returns how many
        documents of each erased child were removed. Documents of erased children beyond their own
        are removed in steps before, and not until the others are written.

        Raises StaleBatch when a checkpoint moved meanwhile, or UnstorableDocument: one of the
        children cannot be written, whoever tries it."""
        erased = [one for one in folded if one.view.erased]
        if not erased:
            return await self._write_together(folded)
        if others := [one for one in folded if not one.view.erased]:
            await self._write_together(others)
        with _overtaken():
            await self._removal.of([one.child_id for one in erased])
        return await self._write_together(erased)

    async def _write_together(self, folded: Sequence[FoldedChild]) -> dict[str, int]:
        cutoff = await read_cutoff(self.database)
        writes = writes_of(folded, cutoff, await self._marks(folded), self.clock())
        erased = [one.child_id for one in folded if one.view.erased]
        with _overtaken():
            async with self.mongo.transaction() as session:
                removed = await self._removal.counted(erased, session) if erased else {}
                if writes.deliveries and self.before_live is None:
                    await deliveries(self.database).bulk_write(
                        writes.deliveries, ordered=False, session=session
                    )
                for model, operations in writes.by_model.items():
                    matched = await self._write_model(model, operations, session)
                    reached(self.mid_transaction)
                    if model is Model.CHILDREN and matched != writes.replaced_children:
                        raise StaleBatch("the child was updated meanwhile")
        return removed

    async def _marks(self, folded: Sequence[FoldedChild]) -> Mapping[str, Document]:
        alerts = [alert for one in folded for alert in one.view.alerts]
        if self.before_live is None or not alerts:
            return {}
        return await self.before_live.marks(self.database, alerts)

    async def _write_model(
        self, model: Model, operations: Sequence[Write], session: Session
    ) -> int:
        """How many documents there were already."""
        try:
            result = await self._collections[model].bulk_write(
                operations, ordered=False, session=session
            )
        except (PyMongoError, *OF_THE_DRIVER) as error:
            if (fault := unstorable(error)) is not None:
                # the driver's own text repeats the document
                raise fault.with_traceback(error.__traceback__) from None
            raise
        return result.matched_count

    async def _find(self, model: Model, wanted: Document) -> list[Document]:
        return await self._collections[model].find(wanted).to_list(None)


@contextmanager
def _overtaken() -> Iterator[None]:
    """Raises StaleBatch where somebody else wrote first."""
    try:
        yield
    except BulkWriteError as error:
        if any(e["code"] == DUPLICATE_KEY for e in error.details["writeErrors"]):
            raise StaleBatch("a child was created meanwhile") from error
        raise
    except OperationFailure as error:
        if error.has_error_label(TRANSIENT) or error.code == WRITE_CONFLICT:
            raise StaleBatch("another worker wrote at the same time") from error
        raise
