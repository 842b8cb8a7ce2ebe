"""Changes which generations are kept and which of them is live, each time in one step; and carries
over what no event says: what became of alerts."""

import asyncio
import re
from collections.abc import AsyncIterator
from collections.abc import Collection as AnyCollection
from dataclasses import replace
from datetime import datetime

import structlog

from projection_worker.replay.rebuild.ledger import Plan
from projection_worker.session import Failed
from shared.mongo import Collection, Database, Document, aggregate
from shared.read_models.deliveries import DELIVERIES_COLLECTION
from shared.read_models.documents import Model
from shared.read_models.generations import (
    POINTER_COLLECTION,
    POINTER_ID,
    Catalog,
    Generation,
    KeptGeneration,
    to_document,
)
from shared.read_models.indexes import ensure_read_model_indexes

log = structlog.get_logger(__name__)

MOST = 1_000
CHILDREN_A_ROUND = 5_000


async def children_behind(database: Database, ahead: Generation, other: Generation) -> list[str]:
    """Children whose version in `other` is lower than in `ahead`, at most `MOST` of them.

    `other` is looked at after `ahead`, so a child that moves on in both meanwhile is not named."""
    found: list[str] = []
    others = other.collection(database, Model.CHILDREN)
    async for versions in _rounds(ahead.collection(database, Model.CHILDREN)):
        wanted = {"_id": {"$in": list(versions)}}
        documents = await others.find(wanted, {"version": 1}).to_list(None)
        there = {document["_id"]: document["version"] for document in documents}
        found += [child for child, version in versions.items() if there.get(child, 0) < version]
        if len(found) >= MOST:
            return found[:MOST]
    return found


async def _rounds(children: Collection) -> AsyncIterator[dict[str, int]]:
    after = ""
    while True:
        cursor = children.find({"_id": {"$gt": after}}, {"version": 1}).sort("_id", 1)
        documents = await cursor.limit(CHILDREN_A_ROUND).to_list(None)
        if not documents:
            return
        yield {document["_id"]: document["version"] for document in documents}
        after = documents[-1]["_id"]


HOLD_SECONDS = 30.0
SETTLE_SECONDS = 1.0
"""Longer than any batch that had begun before the hold goes on writing."""

_OF_A_GENERATION = re.compile(rf"^(?:{'|'.join(Model)})__g(\d+)$")


class CatalogChanged(Failed):
    """Somebody else changed the catalog at the same time; nothing was done."""


class NotCaughtUp(Failed):
    """A generation that would become live is behind the one that is; nothing was done."""


class Cutover:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._pointer = database[POINTER_COLLECTION]

    async def next_generation(self, catalog: Catalog) -> Generation:
        """One that was never there, so that nothing left over can get into it."""
        names = await self._database.list_collection_names()
        left = [int(found[1]) for name in names if (found := _OF_A_GENERATION.match(name))]
        return Generation(max([one.generation.number for one in catalog.kept] + left) + 1)

    async def begin(self, catalog: Catalog, plan: Plan, conversation_limit_minutes: int) -> None:
        """Keep the plan's generation beside the others: the workers of its version write it from
        now on, with this limit.

        Raises CatalogChanged."""
        new = KeptGeneration(
            plan.generation, plan.projections, False, plan.begun_at, conversation_limit_minutes
        )
        await ensure_read_model_indexes(self._database, plan.generation)
        await self._change(catalog, catalog.live, (*catalog.kept, new))

    async def flip(self, catalog: Catalog, to: Generation) -> None:
        """Let queries read `to`. Raises NotCaughtUp or CatalogChanged."""
        kept = tuple(
            replace(one, was_live=True) if one.generation == to else one for one in catalog.kept
        )
        if catalog.of(to).projections == catalog.of(catalog.live).projections:
            # the same workers write both, this one first
            return await self._change(catalog, to, kept)
        await self._hold(catalog)
        try:
            await self._settle(catalog.live, to)
            await self._change(catalog, to, kept)
        finally:
            await self._pointer.update_one({"_id": POINTER_ID}, {"$unset": {"hold_until": ""}})

    async def drop(self, catalog: Catalog, unwanted: AnyCollection[Generation]) -> list[str]:
        """Forget these generations, then remove their collections and those of any forgotten
        before; returns their names."""
        kept = tuple(one for one in catalog.kept if one.generation not in unwanted)
        await self._change(catalog, catalog.live, kept)
        await asyncio.sleep(SETTLE_SECONDS)  # batches under way may still write them
        numbers = {one.generation.number for one in kept}
        dropped = []
        for name in sorted(await self._database.list_collection_names()):
            found = _OF_A_GENERATION.match(name)
            if found and int(found[1]) not in numbers:
                await self._database.drop_collection(name)
                dropped.append(name)
        return dropped

    async def _hold(self, catalog: Catalog) -> None:
        """Stop the workers of the live generation for a moment; a hold ends by itself, too."""
        milliseconds = round(HOLD_SECONDS * 1_000)
        until = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": milliseconds}}
        await self._pointer.update_one(
            {"_id": POINTER_ID, "generation": catalog.live.number},
            [{"$set": {"hold_until": until}}],
        )

    async def _settle(self, live: Generation, to: Generation) -> None:
        """Wait until `to` has everything that has been seen in `live`."""
        try:
            async with asyncio.timeout(HOLD_SECONDS * 0.8):
                await asyncio.sleep(SETTLE_SECONDS)
                while behind := await children_behind(self._database, live, to):
                    log.info("cutover_waits_for_children", behind=len(behind))
                    await asyncio.sleep(SETTLE_SECONDS)
        except TimeoutError:
            raise NotCaughtUp(
                f"generation {to.number} does not catch up with {live.number}: do workers of its "
                "projections run?"
            ) from None

    async def _change(
        self, catalog: Catalog, live: Generation, kept: tuple[KeptGeneration, ...]
    ) -> None:
        as_read = {"_id": POINTER_ID, **_document(catalog.live, catalog.kept)}
        changed = await self._pointer.update_one(as_read, {"$set": _document(live, kept)})
        if changed.matched_count == 0:
            raise CatalogChanged("the catalog of generations was changed by somebody else")


def _document(live: Generation, kept: tuple[KeptGeneration, ...]) -> Document:
    return {"generation": live.number, "kept": [to_document(one) for one in kept]}


async def carry_deliveries(database: Database, live: Generation, to: Generation) -> None:
    """Note in `to` every delivery that is noted in `live`; those of `to` itself stay. Of the alerts
    in `to`, only those that `live` does not have stay marked as `rebuilt`.

    Workers note new deliveries in both, so doing this once, after all alerts are there, is enough.
    """
    both = {"$mergeObjects": ["$$new.delivered", "$delivered"]}
    as_live = {"delivered": both, "rebuilt": {"$ifNull": ["$$new.rebuilt", "$$REMOVE"]}}
    noted: Document = {"$project": {"delivered": 1, "rebuilt": 1}}
    await _merge_alerts(database, live, to, [noted], [{"$set": as_live}])


async def carry_undelivered(
    database: Database, live: Generation, to: Generation, since: datetime
) -> None:
    """Mark in `to` the alerts raised in `live` since then that have no deliveries, as a release
    before deliveries left them: a worker makes those once `to` is live."""
    theirs = {"from": DELIVERIES_COLLECTION, "localField": "_id", "foreignField": "alert_id"}
    undelivered: list[Document] = [
        {"$match": {"raised_at": {"$gt": since}, "rebuilt": {"$ne": True}}},
        {"$lookup": {**theirs, "as": "deliveries"}},
        {"$match": {"deliveries": []}},
        {"$project": {"awaits_live": {"$literal": True}}},
    ]
    await _merge_alerts(database, live, to, undelivered, "merge")


async def _merge_alerts(
    database: Database,
    live: Generation,
    to: Generation,
    chosen: list[Document],
    when_matched: str | list[Document],
) -> None:
    """Those of `to` alone stay as they are."""
    merge = {
        "into": to.collection_name(Model.ALERTS),
        "on": "_id",
        "whenMatched": when_matched,
        "whenNotMatched": "discard",
    }
    async for _ in aggregate(live.collection(database, Model.ALERTS), [*chosen, {"$merge": merge}]):
        raise AssertionError("$merge yields no documents")
