"""What a rebuild has done so far: kept beside the read models, so that another process goes on.

`read_model_rebuilds` holds one document a rebuild and one a slice. A slice is a range of children
of the event store or of offsets of one partition; after each batch it says how far it came. A batch
that was written and not noted is done again: the checkpoints drop it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from shared.mongo import Database, Document
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import Generation

COLLECTION = "read_model_rebuilds"


class Source(StrEnum):
    STORE = "store"
    KAFKA = "kafka"


class Kind(StrEnum):
    CHILDREN = "children"
    PARTITION = "partition"


class Done(StrEnum):
    NOTHING = "nothing"
    BUILT = "built"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rebuild makes, and of what. `models`: those folded anew; others are carried over."""

    generation: Generation
    projections: int
    source: Source
    models: frozenset[Model]
    begun_at: datetime

    @property
    def whole(self) -> bool:
        return self.models == ALL_MODELS


@dataclass(frozen=True, slots=True)
class Slice:
    """Children after `begin` up to and with `end` (empty: without bound), or the offsets from
    `begin` to before `end`. `reached`: the last child done, or the next offset; empty: none yet.
    `inside`: a child with a long history that is done up to `inside_version`; empty: none is under
    way. `events_done` counts those, too."""

    generation: Generation
    kind: Kind
    number: int
    begin: str
    end: str
    events: int
    reached: str = ""
    events_done: int = 0
    done: Done = Done.NOTHING
    inside: str = ""
    inside_version: int = 0
    events_verified: int = 0

    @property
    def id(self) -> str:
        return f"g{self.generation.number}/{self.kind}/{self.number:04d}"


@dataclass(frozen=True, slots=True)
class Tally:
    """Events of all slices of one kind: how many there are, are built, are verified."""

    events: int
    built: int
    verified: int


class Ledger:
    def __init__(self, database: Database) -> None:
        self._rebuilds = database[COLLECTION]

    async def begin(self, plan: Plan) -> None:
        document = {name: getattr(plan, name) for name in ("projections", "source", "begun_at")}
        document["models"] = sorted(plan.models)
        key = {"_id": _plan_id(plan.generation)}
        await self._rebuilds.replace_one(key, document, upsert=True)

    async def cut(self, generation: Generation, slices: Sequence[Slice]) -> None:
        """Note all slices of a plan, and then that these are all."""
        await self._rebuilds.delete_many({"generation": generation.number})
        await self._rebuilds.insert_many([_from_slice(one) for one in slices])
        key = {"_id": _plan_id(generation)}
        await self._rebuilds.update_one(key, {"$set": {"is_cut": True}})

    async def is_cut(self, generation: Generation) -> bool:
        found = await self._rebuilds.find_one({"_id": _plan_id(generation), "is_cut": True})
        return found is not None

    async def plan(self, generation: Generation) -> Plan | None:
        found = await self._rebuilds.find_one({"_id": _plan_id(generation)})
        return None if found is None else _to_plan(generation, found)

    async def slices(self, generation: Generation) -> list[Slice]:
        wanted = {"generation": generation.number}
        found = await self._rebuilds.find(wanted).sort("_id", 1).to_list(None)
        return [_to_slice(generation, document) for document in found]

    async def advance(
        self, of: Slice, reached: str, events_done: int, unopened: Mapping[str, str] | None = None
    ) -> None:
        """`unopened`: children of whom something does not open, and why."""
        progress = {"reached": reached, "inside": "", "inside_version": 0}
        await self._note(of, {**progress, "events_done": events_done}, unopened or {})

    async def advance_inside(
        self, of: Slice, child_id: str, version: int, events_done: int, unopened: Mapping[str, str]
    ) -> None:
        """Within one child with a long history, which is done up to `version`."""
        progress = {"inside": child_id, "inside_version": version, "events_done": events_done}
        await self._note(of, progress, unopened)

    async def verified(self, of: Slice, events: int) -> None:
        """So many of the slice's events are, since it was begun to be verified."""
        await self._rebuilds.update_one({"_id": of.id}, {"$set": {"events_verified": events}})

    async def unopened(self, generation: Generation) -> dict[str, str]:
        """The children of all slices of whom something does not open, and why."""
        wanted = {"generation": generation.number, "unopened": {"$exists": True}}
        found = await self._rebuilds.find(wanted).sort("_id", 1).to_list(None)
        return {one["child_id"]: one["reason"] for slice_ in found for one in slice_["unopened"]}

    async def finish(self, of: Slice, done: Done) -> None:
        await self._rebuilds.update_one({"_id": of.id}, {"$set": {"done": done}})

    async def tally(self, generation: Generation, kind: Kind) -> Tally:
        slices = [one for one in await self.slices(generation) if one.kind == kind]
        return Tally(
            sum(one.events for one in slices),
            sum(one.events if one.done != Done.NOTHING else one.events_done for one in slices),
            sum(one.events if one.done == Done.VERIFIED else one.events_verified for one in slices),
        )

    async def _note(self, of: Slice, progress: Document, unopened: Mapping[str, str]) -> None:
        more = [{"child_id": child, "reason": reason} for child, reason in unopened.items()]
        adding = {"$addToSet": {"unopened": {"$each": more}}} if more else {}
        await self._rebuilds.update_one({"_id": of.id}, {"$set": progress, **adding})

    async def forget(self, generation: Generation) -> None:
        await self._rebuilds.delete_one({"_id": _plan_id(generation)})
        await self._rebuilds.delete_many({"generation": generation.number})


def _plan_id(generation: Generation) -> str:
    return f"g{generation.number}"


def _to_plan(generation: Generation, document: Document) -> Plan:
    return Plan(
        generation,
        document["projections"],
        Source(document["source"]),
        frozenset(Model(name) for name in document["models"]),
        document["begun_at"],
    )


def _from_slice(one: Slice) -> Document:
    values = {field.name: getattr(one, field.name) for field in fields(one)}
    return {"_id": one.id, **values, "generation": one.generation.number}


def _to_slice(generation: Generation, document: Document) -> Slice:
    values = {field.name: document[field.name] for field in fields(Slice)}
    kind, done = Kind(document["kind"]), Done(document["done"])
    return Slice(**{**values, "generation": generation, "kind": kind, "done": done})
