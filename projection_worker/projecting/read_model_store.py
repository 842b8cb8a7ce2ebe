"""The read models as the projector loads and writes them: one batch, one transaction.

Alerts that a generation raises while another one is live notify nobody for now. Most of them the
live generation raised as well, or could have: those are `rebuilt`, the past. But not those that it
did not see: of a child that is dead-lettered there, or of events that no worker of its projections
was there for; nor those that only newer rules raise, of what happened since the generation was
begun. They are marked `awaits_live`: once their generation is live, a worker makes the deliveries
that they lack.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from projection_worker.projecting.read_model_writes import (
    OF_THE_DRIVER,
    FoldedChild,
    Write,
    unstorable,
    writes_of,
)
from projection_worker.projecting.removal import Removal
from projection_worker.projections.registry import Place
from shared.clock import Clock, utc_now
from shared.event_store.envelope import version_of_event
from shared.events.child import AlertChannel
from shared.fault_points import FaultPoint, reached
from shared.mongo import Collection, Database, Document, Mongo, Session
from shared.read_models.deliveries import (
    DeliveryState,
    deliveries,
)
from shared.read_models.documents import AlertDocument, ChildDocument, Model
from shared.read_models.generations import Generation, read_cutoff

PAST: Document = {"rebuilt": True}
AWAITS: Document = {"awaits_live": True}
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BeforeLive:
    """`since`: when the generation was begun; None: nobody knows, it was live before."""

    live: Generation
    since: datetime | None = None

    async def marks(
        self, database: Database, alerts: Sequence[AlertDocument]
    ) -> Mapping[str, Document]:
        """What stands in each alert beside what events tell, by its id."""
        since = self.since or ALWAYS
        older = [alert for alert in alerts if alert["raised_at"] < since]
        seen = await self._versions(database, [alert["child_id"] for alert in older])
        past = {
            alert["_id"]
            for alert in older
            if version_of_event(alert["event_id"]) <= seen.get(alert["child_id"], 0)
        }
        return {alert["_id"]: PAST if alert["_id"] in past else AWAITS for alert in alerts}

    async def _versions(self, database: Database, child_ids: Sequence[str]) -> Mapping[str, int]:
        """Up to where the live generation has seen these children."""
        if not child_ids:
            return {}
        children = self.live.collection(database, Model.CHILDREN)
        found = children.find({"_id": {"$in": list(set(child_ids))}}, {"version": 1})
        return {one["_id"]: one["version"] for one in await found.to_list(None)}


DUPLICATE_KEY = 11000
WRITE_CONFLICT = 112
TRANSIENT = "TransientTransactionError"


class StaleBatch(Exception):
    """Another worker wrote one of the batch's children first; nothing of the batch was written."""


class ReadModelStore:
    """One generation of read models."""

    def __init__(
        self,
        mongo: Mongo,
        database: Database,
        generation: Generation,
        mid_transaction: FaultPoint = FaultPoint.WORKER_MID_TRANSACTION,
        *,
        before_live: BeforeLive | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """`before_live`: it is not live, and nobody is notified of its alerts; None: it is."""
        self._mongo = mongo
        self._database = database
        self._mid_transaction = mid_transaction
        self._before_live = before_live
        self._clock = clock
        self._collections: Mapping[Model, Collection] = generation.collections(database)
        self._removal = Removal(mongo, database, self._collections)

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
        """The alerts that these events raised and that nobody has begun to tell the app of: their
        worker may have died before it published them."""
        unheard = {
            "event_id": {"$in": list(event_ids)},
            "channel": AlertChannel.IN_APP.value,
            "state": DeliveryState.PENDING.value,
            "attempts": 0,
        }
        waiting = await deliveries(self._database).find(unheard, {"alert_id": 1}).to_list(None)
        if not waiting:
            return []
        wanted = {"_id": {"$in": [one["alert_id"] for one in waiting]}}
        return [cast(AlertDocument, one) for one in await self._find(Model.ALERTS, wanted)]

    async def told_before(self, alert_ids: AnyCollection[str]) -> frozenset[str]:
        """Those of these alerts that somebody was told of already, while another generation was
        live."""
        in_app = AlertChannel.IN_APP.value
        # a webhook may be quicker than this look; open apps are to hear of the alert all the same
        decides = {"$or": [{"channel": in_app}, {"channels": {"$ne": in_app}}]}
        settled = {"state": {"$ne": DeliveryState.PENDING.value}}
        wanted = {"alert_id": {"$in": list(alert_ids)}, **settled, **decides}
        found = await deliveries(self._database).find(wanted, {"alert_id": 1}).to_list(None)
        return frozenset(one["alert_id"] for one in found)

    async def write(self, folded: Sequence[FoldedChild]) -> dict[str, int]:
        """All of it in one transaction, without what is older than the cutoff. Returns how many
        documents of each erased child were removed. Documents of erased children beyond their own
        are removed in steps before, and not until the others are written.

        Raises StaleBatch when a checkpoint moved meanwhile, or UnstorableDocument: one of the
        children cannot be written, whoever tries it.
        """
        erased = [one for one in folded if one.view.erased]
        if not erased:
            return await self._write_together(folded)
        if others := [one for one in folded if not one.view.erased]:
            await self._write_together(others)
        with _overtaken():
            await self._removal.of([one.child_id for one in erased])
        return await self._write_together(erased)

    async def _write_together(self, folded: Sequence[FoldedChild]) -> dict[str, int]:
        cutoff = await read_cutoff(self._database)
        writes = writes_of(folded, cutoff, await self._marks(folded), self._clock())
        erased = [one.child_id for one in folded if one.view.erased]
        with _overtaken():
            async with self._mongo.transaction() as session:
                removed = await self._removal.counted(erased, session) if erased else {}
                if writes.deliveries and self._before_live is None:
                    await deliveries(self._database).bulk_write(
                        writes.deliveries, ordered=False, session=session
                    )
                for model, operations in writes.by_model.items():
                    matched = await self._write_model(model, operations, session)
                    reached(self._mid_transaction)
                    if model is Model.CHILDREN:
                        _require_all_replaced(matched, writes.replaced_children)
        return removed

    async def _marks(self, folded: Sequence[FoldedChild]) -> Mapping[str, Document]:
        alerts = [alert for one in folded for alert in one.view.alerts]
        if self._before_live is None or not alerts:
            return {}
        return await self._before_live.marks(self._database, alerts)

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


def _require_all_replaced(matched: int, expected: int) -> None:
    if matched != expected:
        raise StaleBatch("the child was updated meanwhile")
