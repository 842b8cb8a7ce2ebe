"""Parks what cannot be projected: the record and all later ones of its child; others go on.

A parked record is kept byte for byte in `dead_letters` and on `teddy.child.deadletter.v1`, with the
reason. `parked_children` remembers whose later records must not overtake it.
"""

import traceback
from collections.abc import Collection as AnyCollection
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pymongo import UpdateOne

from projection_worker.delivery import Delivered, RawRecord
from shared.clock import Clock
from shared.mongo import Collection, Database, Document
from shared.read_models.dead_lettered import (
    DEAD_LETTERED_COLLECTION,
    mark_id,
    marks_of,
    stale_since,
)
from shared.read_models.generations import Generation

DEAD_LETTERS = "dead_letters"
PARKED_CHILDREN = DEAD_LETTERED_COLLECTION
MOST_REASON, MOST_STACK = 1_000, 20_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A record and why it was parked. `stack` is the traceback, without values of variables."""

    raw: RawRecord
    child_id: str
    reason: str
    stack: str


class BehindParked(Exception):
    """The record itself may be fine, but an earlier one of its child is parked."""


def park(delivered: Delivered, error: Exception) -> Parked:
    """What is kept is bounded, however much an error has to say: the letter has to fit, too."""
    reason = f"{type(error).__name__}: {error}"[:MOST_REASON]
    stack = "".join(traceback.format_exception(error))[-MOST_STACK:]
    return Parked(delivered.raw, delivered.child_id, reason, stack)


async def ensure_dead_letter_indexes(database: Database) -> None:
    """What is parked is asked for by child, in every generation."""
    for name in (DEAD_LETTERS, PARKED_CHILDREN):
        await database[name].create_index([("child_id", 1)])
    await database[PARKED_CHILDREN].create_index([("generation", 1)])


class DeadLetters:
    """Of one generation of the read models: another one may fold what this one cannot."""

    def __init__(self, database: Database, clock: Clock, generation: Generation) -> None:
        self._database = database
        self._letters: Collection = database[DEAD_LETTERS]
        self._children: Collection = database[PARKED_CHILDREN]
        self._clock = clock
        self._generation = generation

    async def parked_children(self, child_ids: AnyCollection[str]) -> set[str]:
        """Those of `child_ids` of whom a record is parked."""
        return set(await stale_since(self._database, self._generation, child_ids))

    async def all_parked(self) -> dict[str, str]:
        """Every child of whom a record is parked, and why the first one is."""
        marks = await self._children.find(marks_of(self._generation)).to_list(None)
        return {mark["child_id"]: mark["reason"] for mark in marks}

    async def mark(self, reasons: Mapping[str, str]) -> None:
        """Let nothing later of these children be folded; the first reason stays."""
        marks = [
            UpdateOne(
                {"_id": mark_id(self._generation, child_id)},
                {"$setOnInsert": self._mark(child_id, reason)},
                upsert=True,
            )
            for child_id, reason in reasons.items()
        ]
        if marks:
            await self._children.bulk_write(marks, ordered=False)

    async def keep(self, parked: Sequence[Parked]) -> None:
        """Store them; a record that is parked already stays as it is."""
        if not parked:
            return
        first = {one.child_id: one.reason for one in reversed(parked) if one.child_id}
        await self.mark(first)
        letters = [
            UpdateOne(
                {"_id": mark_id(self._generation, one.raw.identity)},
                {"$setOnInsert": self._letter(one)},
                upsert=True,
            )
            for one in parked
        ]
        await self._letters.bulk_write(letters, ordered=False)

    def _mark(self, child_id: str, reason: str) -> Document:
        return {
            "child_id": child_id,
            "generation": self._generation.number,
            "reason": reason,
            "since": self._clock(),
        }

    def _letter(self, one: Parked) -> Document:
        return {
            "generation": self._generation.number,
            "child_id": one.child_id,
            "topic": one.raw.topic,
            "partition": one.raw.partition,
            "offset": one.raw.offset,
            "key": one.raw.key,
            "value": one.raw.value,
            "headers": [{"name": name, "value": value} for name, value in one.raw.headers],
            "reason": one.reason,
            "stack": one.stack,
            "parked_at": self._clock(),
        }
