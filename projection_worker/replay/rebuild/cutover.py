"""Changes which generations are kept and which of them is live, each time in one step."""

import asyncio
import re
from collections.abc import Collection as AnyCollection
from dataclasses import replace

import structlog

from projection_worker.replay.rebuild.behind import children_behind
from projection_worker.replay.rebuild.ledger import Plan
from shared.mongo import Database, Document
from shared.read_models.generations import (
    POINTER_COLLECTION,
    POINTER_ID,
    Catalog,
    Generation,
    KeptGeneration,
    to_document,
)
from shared.read_models.indexes import ensure_read_model_indexes
from shared.read_models.models import Model

HOLD_SECONDS = 30.0
SETTLE_SECONDS = 1.0
"""Longer than any batch that had begun before the hold goes on writing."""

_OF_A_GENERATION = re.compile(rf"^(?:{'|'.join(Model)})__g(\d+)$")

log = structlog.get_logger(__name__)


class CatalogChanged(Exception):
    """Somebody else changed the catalog at the same time; nothing was done."""


class NotCaughtUp(Exception):
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

        Raises CatalogChanged.
        """
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
                    log.info("waiting_for_children", behind=len(behind))
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
