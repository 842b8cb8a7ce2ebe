"""The read models as the projector loads and writes them: one batch, one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, cast

from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from projection_worker.projecting.alerts import AlertsToPublish, BeforeLive
from projection_worker.projecting.removal import Removal
from projection_worker.projecting.unstorable import OF_THE_DRIVER, unstorable
from projection_worker.projecting.writes import FoldedChild, Write, Writes, writes_of
from projection_worker.projections.registry import Place
from shared.clock import Clock, utc_now
from shared.fault_points import FaultPoint, reached
from shared.mongo import Collection, Database, Document, Mongo, Session
from shared.read_models.deliveries import deliveries
from shared.read_models.documents import ChildDocument, Model
from shared.read_models.generations import Generation, RetentionCutoff, read_cutoff
from shared.read_models.indexes import stale_since

DUPLICATE_KEY = 11000
WRITE_CONFLICT = 112
TRANSIENT = "TransientTransactionError"


class StaleBatch(Exception):
    """Another worker wrote one of the batch's children first; nothing of the batch was written."""


class Remains(Exception):
    """A document stands where a child that is not stored is to have one; nothing was written."""


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

    async def cutoff(self) -> RetentionCutoff:
        return await read_cutoff(self.database)

    async def write(self, folded: Sequence[FoldedChild], cutoff: RetentionCutoff) -> dict[str, int]:
        """All of it in one transaction, without what is older than `cutoff`. Returns how many
        documents of each erased child were removed. Documents of erased children beyond their own
        are removed in steps before, and not until the others are written.

        Raises StaleBatch when a checkpoint moved meanwhile, or UnstorableDocument: one of the
        children cannot be written, whoever tries it."""
        erased = [one for one in folded if one.view.erased]
        if not erased:
            return await self._write_together(folded, cutoff)
        if others := [one for one in folded if not one.view.erased]:
            await self._write_together(others, cutoff)
        with _overtaken():
            await self._removal.of([one.child_id for one in erased])
        return await self._write_together(erased, cutoff)

    async def _write_together(
        self, folded: Sequence[FoldedChild], cutoff: RetentionCutoff
    ) -> dict[str, int]:
        marks = await self._marks(folded)
        now = self.clock()
        erased = [one.child_id for one in folded if one.view.erased]
        try:
            return await self._carry_out(writes_of(folded, cutoff, marks, now), erased)
        except Remains:
            over = writes_of(folded, cutoff, marks, now, over_remains=True)
            return await self._carry_out(over, erased)

    async def _carry_out(self, writes: Writes, erased: AnyCollection[str]) -> dict[str, int]:
        with _overtaken():
            async with self.mongo.transaction() as session:
                await self._require_versions(writes.versions, session)
                removed = await self._removal.counted(erased, session) if erased else {}
                if writes.deliveries and self.before_live is None:
                    await deliveries(self.database).bulk_write(
                        writes.deliveries, ordered=False, session=session
                    )
                for model, operations in writes.by_model.items():
                    await self._write_model(model, operations, session)
                    reached(self.mid_transaction)
        return removed

    async def _require_versions(self, expected: Mapping[str, int], session: Session) -> None:
        """Raises StaleBatch unless the children have these versions: whoever moves one of them
        afterwards conflicts with the transaction. A version in each update's own filter would cost
        the server a query plan a child."""
        if not expected:
            return
        wanted = {"_id": {"$in": list(expected)}}
        children = self._collections[Model.CHILDREN].find(wanted, {"version": 1}, session=session)
        there = {one["_id"]: one["version"] for one in await children.to_list(None)}
        if there != expected:
            raise StaleBatch("the child was updated meanwhile")

    async def _marks(self, folded: Sequence[FoldedChild]) -> Mapping[str, Document]:
        alerts = [alert for one in folded for alert in one.view.alerts]
        if self.before_live is None or not alerts:
            return {}
        return await self.before_live.marks(self.database, alerts)

    async def _write_model(
        self, model: Model, operations: Sequence[Write], session: Session
    ) -> None:
        try:
            await self._collections[model].bulk_write(operations, ordered=False, session=session)
        except (PyMongoError, *OF_THE_DRIVER) as error:
            if (fault := unstorable(error)) is not None:
                # the driver's own text repeats the document
                raise fault.with_traceback(error.__traceback__) from None
            if model is not Model.CHILDREN and _is_taken(error):
                raise Remains from None
            raise

    async def _find(self, model: Model, wanted: Document) -> list[Document]:
        return await self._collections[model].find(wanted).to_list(None)


def _is_taken(error: BaseException) -> bool:
    return isinstance(error, BulkWriteError) and any(
        each["code"] == DUPLICATE_KEY for each in error.details["writeErrors"]
    )


@contextmanager
def _overtaken() -> Iterator[None]:
    """Raises StaleBatch where somebody else wrote first."""
    try:
        yield
    except BulkWriteError as error:
        if _is_taken(error):
            raise StaleBatch("a child was created meanwhile") from error
        raise
    except OperationFailure as error:
        if error.has_error_label(TRANSIENT) or error.code == WRITE_CONFLICT:
            raise StaleBatch("another worker wrote at the same time") from error
        raise
