"""Which collections are live: read models carry a generation, a pointer names the live one.

`read_model_pointer` holds one document `{_id: "live", generation: n}`. Collections are named
`<model>__g<n>`, so that a rebuild can fill generation n+1 beside the live one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.mongo import Collection, Database
from shared.read_models.models import Model

POINTER_COLLECTION = "read_model_pointer"
POINTER_ID = "live"
FIRST_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Generation:
    """One complete set of read-model collections."""

    number: int

    def collection_name(self, model: Model) -> str:
        return f"{model}__g{self.number}"

    def collection(self, database: Database, model: Model) -> Collection:
        return database[self.collection_name(model)]

    def collections(self, database: Database) -> Mapping[Model, Collection]:
        return {model: self.collection(database, model) for model in Model}


async def live_generation(database: Database) -> Generation:
    """The generation that queries read; the first one before any rebuild."""
    pointer = await database[POINTER_COLLECTION].find_one({"_id": POINTER_ID})
    return Generation(pointer["generation"] if pointer else FIRST_GENERATION)
