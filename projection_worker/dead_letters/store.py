"""Keeps what cannot be projected: the record and all later ones of its child; others go on.

A dead letter is kept byte for byte in `dead_letters` and on `teddy.child.deadletter.v1`, with the
reason. `parked_children` remembers whose later records must not overtake it. Operators see it by
child, across all generations of the read models."""

from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import UpdateOne

from projection_worker.records import DeadLettered, RawRecord, deliver
from shared.clock import Clock
from shared.mongo import Collection, Database, Document, aggregate
from shared.read_models.generations import Generation
from shared.read_models.indexes import DEAD_LETTERED_COLLECTION, mark_id, marks_of

DEAD_LETTERS = "dead_letters"
PARKED_CHILDREN = DEAD_LETTERED_COLLECTION


async def ensure_dead_letter_indexes(database: Database) -> None:
    for name in (DEAD_LETTERS, PARKED_CHILDREN):
        await database[name].create_index([("child_id", 1)])
    await database[PARKED_CHILDREN].create_index([("generation", 1)])


class DeadLetters:
    """Of one generation of the read models: another one may fold what this one cannot."""

    def __init__(self, database: Database, clock: Clock, generation: Generation) -> None:
        self._letters: Collection = database[DEAD_LETTERS]
        self._children: Collection = database[PARKED_CHILDREN]
        self._clock = clock
        self._generation = generation

    async def all_dead_lettered(self) -> dict[str, str]:
        """Every child of whom a record is dead-lettered, and why the first one is."""
        marks = await self._children.find(marks_of(self._generation)).to_list(None)
        return {mark["child_id"]: mark["reason"] for mark in marks}

    async def mark(self, reasons: Mapping[str, str]) -> None:
        """Let nothing later of these children be folded; the first reason stays."""
        since = self._clock()
        marks = [
            self._added_once(child_id, {"child_id": child_id, "reason": reason, "since": since})
            for child_id, reason in reasons.items()
        ]
        if marks:
            await self._children.bulk_write(marks, ordered=False)

    async def keep(self, dead_lettered: Sequence[DeadLettered]) -> None:
        """Store them, at least one; a record that is dead-lettered already stays as it is."""
        first = {one.child_id: one.reason for one in reversed(dead_lettered) if one.child_id}
        await self.mark(first)
        letters = [self._added_once(one.raw.identity, self._letter(one)) for one in dead_lettered]
        await self._letters.bulk_write(letters, ordered=False)

    def _added_once(self, identity: str, document: Document) -> UpdateOne:
        added = {"generation": self._generation.number, **document}
        of_identity = {"_id": mark_id(self._generation, identity)}
        return UpdateOne(of_identity, {"$setOnInsert": added}, upsert=True)

    def _letter(self, one: DeadLettered) -> Document:
        return {
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


IN_ORDER = [("partition", 1), ("offset", 1), ("generation", 1)]


@dataclass(frozen=True, slots=True)
class DeadLetteredSequence:
    """One child in one generation. `reason`: why its first record was dead-lettered, at `since`.

    `marked`: later records are dead-lettered too. Without records it was marked by a rebuild, which
    reads the event store; without a mark somebody began to redrive it."""

    child_id: str
    generation: int
    records: int
    since: datetime
    reason: str
    marked: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter of one generation. `version` is None when its envelope cannot be read."""

    id: str
    generation: int
    dead_lettered: DeadLettered
    dead_lettered_at: datetime
    version: int | None


class DeadLetteredSequences:
    def __init__(self, database: Database) -> None:
        self._letters: Collection = database[DEAD_LETTERS]
        self._marks: Collection = database[PARKED_CHILDREN]

    async def find(self, child_id: str | None = None) -> list[DeadLetteredSequence]:
        """The oldest first; their records are not loaded."""
        wanted: Document = {} if child_id is None else {"child_id": child_id}
        marks = {_place(mark): mark for mark in await self._marks.find(wanted).to_list(None)}
        counted = {
            _place(one["_id"]): one async for one in aggregate(self._letters, _count(wanted))
        }
        found = [
            _sequence(place, counted.get(place), marks.get(place)) for place in marks | counted
        ]
        return sorted(found, key=lambda one: (one.since, one.child_id, one.generation))

    async def letters_of(self, child_id: str) -> list[DeadLetter]:
        """In the order in which they were on the topic; with their bytes."""
        return await self._load({"child_id": child_id})

    async def letters_at(self, identity: str) -> list[DeadLetter]:
        """The letters of one record, `topic/partition/offset`: one a generation."""
        topic, _, place = identity.partition("/")
        partition, _, offset = place.partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            return []
        wanted = {"topic": topic, "partition": int(partition), "offset": int(offset)}
        return await self._load(wanted)

    async def unmark(self, child_id: str) -> None:
        """Let the child's records be folded again, in every generation."""
        await self._marks.delete_many({"child_id": child_id})

    async def unmark_emptied(self, children: Iterable[tuple[str, int]]) -> None:
        """As `unmark`, for those (child, generation) without further dead letters."""
        for child_id, generation in set(children):
            place = {"child_id": child_id, "generation": generation}
            if await self._letters.find_one(place, {"_id": 1}) is None:
                await self._marks.delete_one(place)

    async def remove(self, letters: AnyCollection[DeadLetter]) -> None:
        await self._letters.delete_many({"_id": {"$in": [letter.id for letter in letters]}})

    async def _load(self, wanted: Document) -> list[DeadLetter]:
        return [
            _letter(one) for one in await self._letters.find(wanted, sort=IN_ORDER).to_list(None)
        ]


def _count(wanted: Document) -> Sequence[Document]:
    first = {"sortBy": {"partition": 1, "offset": 1}, "output": ["$reason", "$parked_at"]}
    place = {"child_id": "$child_id", "generation": "$generation"}
    return [
        {"$match": wanted},
        {"$group": {"_id": place, "records": {"$sum": 1}, "first": {"$top": first}}},
    ]


def _place(document: Document) -> tuple[str, int]:
    return document["child_id"], document["generation"]


def _sequence(
    place: tuple[str, int], counted: Document | None, mark: Document | None
) -> DeadLetteredSequence:
    if mark is not None:
        reason, since = mark["reason"], mark["since"]
    else:
        assert counted is not None
        reason, since = counted["first"]
    records = counted["records"] if counted is not None else 0
    return DeadLetteredSequence(*place, records, since, reason, marked=mark is not None)


def _letter(document: Document) -> DeadLetter:
    raw = RawRecord(
        document["topic"],
        document["partition"],
        document["offset"],
        document["key"],
        document["value"],
        tuple((header["name"], header["value"]) for header in document["headers"]),
    )
    dead_lettered = DeadLettered(raw, document["child_id"], document["reason"], document["stack"])
    event = deliver(raw).event
    version = None if event is None else event.version
    return DeadLetter(
        document["_id"], document["generation"], dead_lettered, document["parked_at"], version
    )
