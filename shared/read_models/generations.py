"""Which generations of the read models are kept, and which of them is live.

`read_model_pointer` holds one document: `{_id: "live", generation: 2, kept: [{generation: 1,
projections: 1, was_live: true}, {generation: 2, ..., conversation_limit_minutes: 60}], hold_until:
...}`. Collections are named `<model>__g<n>`, so that a rebuild can fill one generation beside the
live one. That the whole catalog is one document makes each change of it atomic.

`projections` is the version of the code that folds a generation. Every kept generation is written
by the workers of its version, the live one last: what has been seen in it is in all others too, so
that queries can move to another generation without going backwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.mongo import Collection, Database, Document
from shared.read_models.models import Model

POINTER_COLLECTION = "read_model_pointer"
POINTER_ID = "live"
FIRST_GENERATION = 1
FIRST_PROJECTIONS = 1
CONVERSATION_LIMIT_MINUTES = 240
"""Of a generation of which the catalog says nothing else."""

_AS_OF_NOW = {"generation": 1, "kept": 1, "held": {"$gt": ["$hold_until", "$$NOW"]}}


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


@dataclass(frozen=True, slots=True)
class KeptGeneration:
    """`was_live`: it can be rolled back to. A generation that was never live is being rebuilt.
    `begun_at`: by a rebuild, at that time. `conversation_limit_minutes`: how long after its start a
    conversation is over at the latest, for all that is in this generation."""

    generation: Generation
    projections: int = FIRST_PROJECTIONS
    was_live: bool = True
    begun_at: datetime | None = None
    conversation_limit_minutes: int = CONVERSATION_LIMIT_MINUTES

    @property
    def conversation_limit(self) -> timedelta:
        return timedelta(minutes=self.conversation_limit_minutes)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All kept generations. `held`: nobody is to write the live one, because it is about to go."""

    live: Generation
    kept: tuple[KeptGeneration, ...]
    held: bool = False

    def of(self, generation: Generation) -> KeptGeneration:
        """Raises KeyError when it is not kept."""
        for one in self.kept:
            if one.generation == generation:
                return one
        raise KeyError(generation.number)

    def written_by(self, projections: int) -> tuple[Generation, ...]:
        """What workers with this version of the projections write, in order: the live one last."""
        mine = [one.generation for one in self.kept if one.projections == projections]
        return tuple(sorted(mine, key=lambda generation: generation == self.live))

    @property
    def unfinished(self) -> KeptGeneration | None:
        """What a rebuild is filling, or was filling when it ended."""
        return next((one for one in self.kept if not one.was_live), None)


async def read_catalog(database: Database) -> Catalog:
    """As it is now; before anything was written, the first generation alone is kept and live."""
    pointer = await database[POINTER_COLLECTION].find_one({"_id": POINTER_ID}, _AS_OF_NOW)
    if pointer is None:
        first = Generation(FIRST_GENERATION)
        return Catalog(first, (KeptGeneration(first),))
    live = Generation(pointer["generation"])
    kept = tuple(_kept(one) for one in pointer.get("kept", [])) or (KeptGeneration(live),)
    return Catalog(live, kept, pointer["held"])


async def begin_catalog(
    database: Database,
    projections: int,
    conversation_limit_minutes: int = CONVERSATION_LIMIT_MINUTES,
) -> Catalog:
    """The catalog; made with a first generation of this version and this limit when there is none
    yet."""
    first = KeptGeneration(
        Generation(FIRST_GENERATION),
        projections,
        conversation_limit_minutes=conversation_limit_minutes,
    )
    await database[POINTER_COLLECTION].update_one(
        {"_id": POINTER_ID},
        {"$setOnInsert": {"generation": FIRST_GENERATION, "kept": [to_document(first)]}},
        upsert=True,
    )
    return await read_catalog(database)


async def live_generation(database: Database) -> Generation:
    """The generation that queries read."""
    return (await read_catalog(database)).live


def to_document(kept: KeptGeneration) -> Document:
    """Without what goes without saying: so it is as an older release wrote it."""
    begun = {} if kept.begun_at is None else {"begun_at": kept.begun_at}
    limit = kept.conversation_limit_minutes
    limited = {} if limit == CONVERSATION_LIMIT_MINUTES else {"conversation_limit_minutes": limit}
    return {
        "generation": kept.generation.number,
        "projections": kept.projections,
        "was_live": kept.was_live,
        **begun,
        **limited,
    }


def _kept(document: Document) -> KeptGeneration:
    return KeptGeneration(
        Generation(document["generation"]),
        document["projections"],
        document["was_live"],
        document.get("begun_at"),
        document.get("conversation_limit_minutes", CONVERSATION_LIMIT_MINUTES),
    )
