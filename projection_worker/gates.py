"""How far each kept generation of the read models has come with a child."""

from collections.abc import Mapping

from shared.mongo import Database
from shared.read_models.generations import read_catalog
from shared.read_models.models import Model

Gates = Mapping[int, int]
"""The child's version by the number of the generation; 0 where it has no document."""


async def gates_of(database: Database, child_id: str) -> Gates:
    gates = {}
    for one in (await read_catalog(database)).kept:
        children = one.generation.collection(database, Model.CHILDREN)
        document = await children.find_one({"_id": child_id}, {"version": 1})
        gates[one.generation.number] = 0 if document is None else int(document["version"])
    return gates
