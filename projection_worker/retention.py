"""What the read models keep no longer: how much of it there is, and its deletion.

Of all kept generations: the horizon holds for each of them, also for one that is being rebuilt.
"""

from dataclasses import dataclass
from typing import Any

from shared.mongo import Collection, Database, Document
from shared.read_models.deliveries import deliveries
from shared.read_models.generations import read_catalog
from shared.read_models.horizon import Horizon
from shared.read_models.models import Model

BATCH = 1_000
WHEN = {Model.ACTIVITY: "day", Model.ALERTS: "raised_at"}


@dataclass(frozen=True, slots=True)
class Behind:
    """Documents of a model that lie behind a horizon, in all kept generations together; `oldest`
    is the oldest one's day or time."""

    documents: int
    oldest: Any = None


async def behind(database: Database, horizon: Horizon) -> dict[Model, Behind]:
    found = {}
    for model, condition in horizon.behind().items():
        counted, oldest = 0, []
        for collection in await _collections(database, model):
            counted += await collection.count_documents(condition)
            first = await collection.find_one(condition, sort=[(WHEN[model], 1)])
            oldest += [first[WHEN[model]]] if first else []
        found[model] = Behind(counted, min(oldest, default=None))
    return found


async def purge(database: Database, horizon: Horizon) -> dict[Model, int]:
    """Delete it, a thousand documents at a time; how many went. The horizon stands already, so that
    nobody writes them anew."""
    gone = {}
    for model, condition in horizon.behind().items():
        gone[model] = 0
        for collection in await _collections(database, model):
            gone[model] += await _purge(collection, condition)
    if Model.ALERTS in gone:
        # what became of an alert goes with it
        await _purge(deliveries(database), horizon.behind()[Model.ALERTS])
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
