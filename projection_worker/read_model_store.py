"""The read models as the projector loads and writes them: one batch, one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from projection_worker.projections.registry import ChildView, Place
from projection_worker.projections.system import change
from projection_worker.unstorable import OF_THE_DRIVER, unstorable
from shared.fault_points import FaultPoint, reached
from shared.mongo import Collection, Database, Document, Mongo, Session
from shared.read_models.documents import AlertDocument, ChildDocument
from shared.read_models.generations import Generation
from shared.read_models.horizon import Horizon, read_horizon
from shared.read_models.models import Model

DUPLICATE_KEY = 11000
WRITE_CONFLICT = 112
TRANSIENT = "TransientTransactionError"
OF_A_CHILD = (Model.CONVERSATIONS, Model.ACTIVITY, Model.ALERTS)

Write = InsertOne[Document] | ReplaceOne[Document] | UpdateOne


class StaleBatch(Exception):
    """Another worker wrote one of the batch's children first; nothing of the batch was written."""


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
class _Writes:
    by_model: dict[Model, list[Write]] = field(default_factory=lambda: defaultdict(list))
    replaced_children: int = 0


class ReadModelStore:
    """One generation of read models."""

    def __init__(
        self,
        mongo: Mongo,
        database: Database,
        generation: Generation,
        mid_transaction: FaultPoint = FaultPoint.WORKER_MID_TRANSACTION,
        *,
        rebuilds: bool = False,
    ) -> None:
        """`rebuilds`: what is written lies in the past, so nobody is notified of its alerts."""
        self._mongo = mongo
        self._database = database
        self._mid_transaction = mid_transaction
        self._of_alerts: Document = {"rebuilt": True} if rebuilds else {}
        self._collections: Mapping[Model, Collection] = generation.collections(database)

    async def children(self, child_ids: AnyCollection[str]) -> dict[str, ChildDocument]:
        found = await self._find(Model.CHILDREN, {"_id": {"$in": list(child_ids)}})
        return {document["_id"]: cast(ChildDocument, document) for document in found}

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

    async def waiting_alerts_of(self, event_ids: AnyCollection[str]) -> list[AlertDocument]:
        """The alerts that these events raised and that some channel has not delivered yet."""
        wanted = {"event_id": {"$in": list(event_ids)}, "rebuilt": {"$ne": True}}
        found = [cast(AlertDocument, one) for one in await self._find(Model.ALERTS, wanted)]
        return [alert for alert in found if not alert["delivered"].keys() >= {*alert["channels"]}]

    async def write(self, folded: Sequence[FoldedChild]) -> dict[str, int]:
        """All of it or nothing, but what lies behind the horizon; how many documents of each child
        that is erased were removed. Raises StaleBatch when a gate moved meanwhile, or
        UnstorableDocument: one of the children cannot be written, whoever tries it.
        """
        writes = _writes(folded, await read_horizon(self._database), self._of_alerts)
        removed: dict[str, int] = {}
        try:
            async with self._mongo.transaction() as session:
                for one in folded:
                    if one.view.erased:
                        removed[one.child_id] = await self._remove(one, session)
                for model, operations in writes.by_model.items():
                    matched = await self._write_model(model, operations, session)
                    reached(self._mid_transaction)
                    if model is Model.CHILDREN:
                        _require_all_replaced(matched, writes.replaced_children)
        except BulkWriteError as error:
            if any(e["code"] == DUPLICATE_KEY for e in error.details["writeErrors"]):
                raise StaleBatch("a child was created meanwhile") from error
            raise
        except OperationFailure as error:
            if error.has_error_label(TRANSIENT) or error.code == WRITE_CONFLICT:
                raise StaleBatch("another worker wrote at the same time") from error
            raise
        return removed

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

    async def _remove(self, one: FoldedChild, session: Session) -> int:
        """Everything beside the child's own document; how many go, with that one, which a tombstone
        replaces."""
        removed = 0 if one.before is None else 1
        for model, wanted in documents_beside(one.child_id).items():
            deleted = await self._collections[model].delete_many(wanted, session=session)
            removed += deleted.deleted_count
        return removed

    async def _find(self, model: Model, wanted: Document) -> list[Document]:
        return await self._collections[model].find(wanted).to_list(None)


def documents_beside(child_id: str) -> dict[Model, Document]:
    """How the documents of a child are found in each model, beside its own in `children`."""
    beside: dict[Model, Document] = {model: {"child_id": child_id} for model in OF_A_CHILD}
    return {**beside, Model.SAFETY: {"_id": child_id}}


async def delivered_by(
    database: Database, generation: Generation, alert_id: str
) -> frozenset[str] | None:
    """The channels that have delivered an alert; None when there is no such alert (any more)."""
    alert = await generation.collection(database, Model.ALERTS).find_one({"_id": alert_id})
    return None if alert is None else frozenset(alert["delivered"])


async def mark_delivered(
    database: Database, generation: Generation, alert_id: str, channel: str, at: datetime
) -> None:
    """Note when an alert went out by `channel`; the first time counts."""
    await generation.collection(database, Model.ALERTS).update_one(
        {"_id": alert_id, f"delivered.{channel}": {"$exists": False}},
        {"$set": {f"delivered.{channel}": at}},
    )


def _require_all_replaced(matched: int, expected: int) -> None:
    if matched != expected:
        raise StaleBatch("a child moved on meanwhile")


def _writes(folded: Sequence[FoldedChild], horizon: Horizon, of_alerts: Document) -> _Writes:
    writes = _Writes()
    counters: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in folded:
        _add_child(writes, one, horizon)
        _add_alerts(writes, one, horizon, of_alerts)
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


def _add_child(writes: _Writes, one: FoldedChild, horizon: Horizon) -> None:
    child = cast(Document, one.view.child)
    if one.before is None:
        writes.by_model[Model.CHILDREN].append(InsertOne(child))
    else:
        at_version = {"_id": child["_id"], "version": one.before["version"]}
        writes.by_model[Model.CHILDREN].append(ReplaceOne(at_version, child))
        writes.replaced_children += 1
    for model, key in one.view.changed:
        document = one.view.documents[model, key]
        if horizon.keeps(model, document):
            writes.by_model[model].append(ReplaceOne({"_id": key}, document, upsert=True))


def _add_alerts(writes: _Writes, one: FoldedChild, horizon: Horizon, of_alerts: Document) -> None:
    for alert in one.view.alerts:
        if horizon.keeps(Model.ALERTS, alert):
            insert = {"$setOnInsert": {**alert, **of_alerts}}
            writes.by_model[Model.ALERTS].append(
                UpdateOne({"_id": alert["_id"]}, insert, upsert=True)
            )
