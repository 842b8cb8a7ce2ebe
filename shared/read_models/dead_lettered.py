"""Which children are dead-lettered: their read models stand still, because a record of theirs could
not be projected. The worker marks them, in the same database as the read models; queries say so.
"""

from collections.abc import Collection as AnyCollection
from datetime import datetime

from shared.mongo import Database, Document
from shared.read_models.generations import Generation

DEAD_LETTERED_COLLECTION = "parked_children"


def mark_id(generation: Generation, child_id: str) -> str:
    """Of each generation by itself: another one may fold what this one cannot."""
    return f"g{generation.number}/{child_id}"


def marks_of(generation: Generation) -> Document:
    """The marks of all children of a generation, as a query."""
    return {"generation": generation.number}


async def stale_since(
    database: Database, generation: Generation, child_ids: AnyCollection[str]
) -> dict[str, datetime]:
    """Those of `child_ids` that are dead-lettered, and since when."""
    wanted = {"_id": {"$in": [mark_id(generation, child_id) for child_id in child_ids]}}
    marks = await database[DEAD_LETTERED_COLLECTION].find(wanted).to_list(None)
    return {mark["child_id"]: mark["since"] for mark in marks}


async def count_dead_lettered(database: Database, generation: Generation) -> int:
    return await database[DEAD_LETTERED_COLLECTION].count_documents(marks_of(generation))
