"""Whether the counters of a generation are the sum over its children, also while both move."""

from collections import Counter

from projection_worker.projections.system import contribution
from shared.mongo import Database, Mongo
from shared.read_models.generations import Generation
from shared.read_models.models import Model


async def counters_that_differ(
    mongo: Mongo, database: Database, generation: Generation
) -> dict[str, tuple[int, int]]:
    """By name: what the children sum up to, and what the counters say. Both of one moment."""
    summed: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    collections = generation.collections(database)
    async with mongo.session(snapshot=True) as session:
        async for child in collections[Model.CHILDREN].find({}, session=session):
            summed.update(contribution(child))  # type: ignore[arg-type] # as stored
        async for shard in collections[Model.SYSTEM].find({}, session=session):
            counted.update(shard["counters"])
    names = sorted({*summed, *counted})
    return {n: (summed[n], counted[n]) for n in names if summed[n] != counted[n]}
