"""What is parked, as operators see it: by child, across all generations of the read models."""

from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from projection_worker.dead_letter import DEAD_LETTERS, PARKED_CHILDREN, Parked
from projection_worker.delivery import RawRecord, deliver
from shared.mongo import Collection, Database, Document, aggregate

IN_ORDER = [("partition", 1), ("offset", 1), ("generation", 1)]


@dataclass(frozen=True, slots=True)
class ParkedSequence:
    """One child in one generation. `reason`: why its first record was parked, at `since`.

    `marked`: later records are parked too. Without records it was marked by a rebuild, which reads
    the event store; without a mark somebody began to redrive it.
    """

    child_id: str
    generation: int
    records: int
    reason: str
    since: datetime
    marked: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked record of one generation. `version` is None when its envelope cannot be read."""

    id: str
    generation: int
    parked: Parked
    parked_at: datetime
    version: int | None


class ParkedSequences:
    def __init__(self, database: Database) -> None:
        self._letters: Collection = database[DEAD_LETTERS]
        self._marks: Collection = database[PARKED_CHILDREN]

    async def find(self, child_id: str | None = None) -> list[ParkedSequence]:
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
        """As `unmark`, for those (child, generation) of which no record is parked any more."""
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
) -> ParkedSequence:
    if mark is not None:
        reason, since = mark["reason"], mark["since"]
    else:
        assert counted is not None
        reason, since = counted["first"]
    records = counted["records"] if counted is not None else 0
    return ParkedSequence(*place, records, reason, since, marked=mark is not None)


def _letter(document: Document) -> DeadLetter:
    raw = RawRecord(
        document["topic"],
        document["partition"],
        document["offset"],
        document["key"],
        document["value"],
        tuple((header["name"], header["value"]) for header in document["headers"]),
    )
    parked = Parked(raw, document["child_id"], document["reason"], document["stack"])
    event = deliver(raw).event
    version = None if event is None else event.version
    return DeadLetter(
        document["_id"], document["generation"], parked, document["parked_at"], version
    )
