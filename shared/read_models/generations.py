"""Generations of read models: which is live, how each was made, how far it is projected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from shared.mongo import Collection, Database, Document
from shared.read_models.documents import Model

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
    conversation is over at the latest, for all that is in this generation.

    `projections` is the version of the code that folds it. Every kept generation is written by the
    workers of its version, the live one last: what has been seen in it is in all others too, so
    that queries can move to another generation without going backwards.
    """

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
    """All kept generations. `held`: nobody is to write the live one, because it is about to go.

    `read_model_pointer` holds it as one document: `{_id: "live", generation: 2, kept: [{generation:
    1, projections: 1, was_live: true}, {generation: 2, ..., conversation_limit_minutes: 60}],
    hold_until: ...}`. Collections are named `<model>__g<n>`, so that a rebuild can fill one
    generation beside the live one. That the whole catalog is one document makes each change of it
    atomic.
    """

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


COLLECTION = "projected_through"
LIVE = "live"
"""One for all generations: what was seen in the live one is in each that follows it."""


async def note_projected(database: Database, seconds_ago: float) -> None:
    """All that was stored `seconds_ago` is projected. It never goes back.

    The time is taken from samples of the newest commits and lies a second or two in the past while
    all is well; read models that stand still keep the time at which they stopped. By the clock of
    the server of the read models, so that no worker's clock counts.
    """
    amount = max(0, round(seconds_ago * 1_000))
    then = {"$dateSubtract": {"startDate": "$$NOW", "unit": "millisecond", "amount": amount}}
    newest = {"$set": {"at": {"$max": ["$at", then]}}}
    await database[COLLECTION].update_one({"_id": LIVE}, [newest], upsert=True)


async def projected_through(database: Database) -> datetime | None:
    """None until a worker has noted it."""
    found = await database[COLLECTION].find_one({"_id": LIVE})
    return None if found is None else cast(datetime, found["at"])


CUTOFF_COLLECTION = "read_model_horizon"
CUTOFF_ID = "horizon"
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RetentionCutoff:
    """`activity`: the first UTC day (ISO) that is kept. `alerts`: the first time of an alert.

    `read_model_horizon` holds it as one document: `{_id: "horizon", activity: "2025-10-19", alerts:
    ...}`. It only moves forward: what was deleted is not to come back when the settings are
    changed.
    """

    activity: str = ""
    alerts: datetime = BEGINNING

    def keeps(self, model: Model, document: Mapping[str, Any]) -> bool:
        """Models that have no retention cutoff keep everything."""
        if model is Model.ACTIVITY:
            return bool(document["day"] >= self.activity)
        if model is Model.ALERTS:
            return bool(document["raised_at"] >= self.alerts)
        return True

    def is_at_most(self, latest: "RetentionCutoff") -> bool:
        """Whether it is in no respect later than `latest`."""
        return self.activity <= latest.activity and self.alerts <= latest.alerts

    def behind(self) -> dict[Model, Document]:
        """What to delete of each model that has a retention cutoff, as a query."""
        return {
            Model.ACTIVITY: {"day": {"$lt": self.activity}},
            Model.ALERTS: {"raised_at": {"$lt": self.alerts}},
        }


async def read_cutoff(database: Database) -> RetentionCutoff:
    """As it is now; before anything was purged, everything is kept."""
    found = await database[CUTOFF_COLLECTION].find_one({"_id": CUTOFF_ID})
    if found is None:
        return RetentionCutoff()
    return RetentionCutoff(found.get("activity", ""), found.get("alerts", BEGINNING))


async def advance_cutoff(database: Database, wanted: RetentionCutoff) -> RetentionCutoff:
    """Move it to `wanted`, where that lies ahead; where it is now."""
    moved = _to_cutoff_document(wanted)
    if moved:
        await database[CUTOFF_COLLECTION].update_one(
            {"_id": CUTOFF_ID}, {"$max": moved}, upsert=True
        )
    return await read_cutoff(database)


def _to_cutoff_document(cutoff: RetentionCutoff) -> Document:
    """Without what has no retention cutoff."""
    document: Document = {}
    if cutoff.activity:
        document["activity"] = cutoff.activity
    if cutoff.alerts > BEGINNING:
        document["alerts"] = cutoff.alerts
    return document
