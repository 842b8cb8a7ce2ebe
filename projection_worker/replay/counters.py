"""Whether the counters of a generation are the sum over its children, also while both move."""

from collections import Counter
from dataclasses import dataclass
from typing import cast

from projection_worker.projections.system import contribution
from shared.mongo import Database, Mongo
from shared.read_models.documents import ChildDocument
from shared.read_models.generations import Generation
from shared.read_models.models import Model


@dataclass(frozen=True, slots=True)
class Sums:
    """`names`: how many counters there are. `differing`: by name, what the children sum up to and
    what the counters say."""

    names: int
    differing: dict[str, tuple[int, int]]


async def counters_that_differ(mongo: Mongo, database: Database, generation: Generation) -> Sums:
    """Children and counters are read as of one moment."""
    summed: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    collections = generation.collections(database)
    async with mongo.session(snapshot=True) as session:
        async for child in collections[Model.CHILDREN].find({}, session=session):
            summed.update(contribution(cast(ChildDocument, child)))
        async for shard in collections[Model.SYSTEM].find({}, session=session):
            counted.update(shard["counters"])
    names = sorted({*summed, *counted})
    differing = {n: (summed[n], counted[n]) for n in names if summed[n] != counted[n]}
    return Sums(len(names), differing)
