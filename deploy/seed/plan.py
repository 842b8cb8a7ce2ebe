"""What is seeded, and how much of it is there: kept beside the event store, so that a run that was
ended goes on where it was, and one that is done is not done again."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from projection_worker.session import Refused
from shared.mongo import Database

COLLECTION = "seeds"
CHILDREN_A_PART = 500
"""Written together; their read models in one transaction."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What was written."""

    children: int = 0
    commits: int = 0
    events: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.children + other.children,
            self.commits + other.commits,
            self.events + other.events,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """`events_per_child`: on average. `until`: nothing in the children's lives is later."""

    seed: int
    children: int
    events_per_child: float
    until: datetime

    def parts(self) -> Iterator[tuple[int, range]]:
        """Each part's number, and the numbers of its children."""
        for part, first in enumerate(range(0, self.children, CHILDREN_A_PART)):
            yield part, range(first, min(first + CHILDREN_A_PART, self.children))


class SeedLedger:
    """Plans, by seed, and their parts that are written. Raises PyMongoError."""

    def __init__(self, database: Database) -> None:
        self._seeds = database[COLLECTION]

    async def begin(self, plan: Plan) -> Plan:
        """`plan`, or the same as it was begun before. Raises Refused when that is done, or when
        another one with this seed was begun."""
        document: dict[str, Any] = {"_id": str(plan.seed), **asdict(plan), "done": False}
        await self._seeds.update_one(
            {"_id": document["_id"]}, {"$setOnInsert": document}, upsert=True
        )
        begun = await self._seeds.find_one({"_id": document["_id"]})
        assert begun is not None
        kept = Plan(**{field.name: begun[field.name] for field in fields(Plan)})
        what = f"{kept.children:,} children of {kept.events_per_child:g} events"
        if begun["done"]:
            raise Refused(f"seed {kept.seed} is there already: {what}; --seed N adds others")
        if (kept.children, kept.events_per_child) != (plan.children, plan.events_per_child):
            raise Refused(
                f"seed {kept.seed} was begun with {what}: go on with the same, or --seed N"
            )
        return kept

    async def commits_before(self, plan: Plan, published: int | None) -> int | None:
        """How many commits the store had before the plan was begun, all of them published; None
        where that is not known. `published`: how many there are now, if they are."""
        name = {"_id": str(plan.seed)}
        if published is not None:
            seeded = total(await self.written(plan))
            before = {"$set": {"commits_before": published - seeded.commits}}
            await self._seeds.update_one(name, before)
        begun = await self._seeds.find_one(name)
        return None if begun is None else begun.get("commits_before")

    async def read(self, seed: int) -> Plan:
        begun = await self._seeds.find_one({"_id": str(seed)})
        if begun is None:
            raise Refused(f"seed {seed} was not begun")
        return Plan(**{field.name: begun[field.name] for field in fields(Plan)})

    async def written(self, plan: Plan) -> dict[int, Amount]:
        """What was written, by part."""
        names = [field.name for field in fields(Amount)]
        found = await self._seeds.find({"of": plan.seed}).to_list(None)
        return {one["part"]: Amount(*(one[name] for name in names)) for one in found}

    async def note(self, plan: Plan, part: int, amount: Amount) -> None:
        document = {"_id": f"{plan.seed}/{part}", "of": plan.seed, "part": part, **asdict(amount)}
        await self._seeds.replace_one({"_id": document["_id"]}, document, upsert=True)

    async def finish(self, plan: Plan) -> None:
        await self._seeds.update_one({"_id": str(plan.seed)}, {"$set": {"done": True}})


def total(written: Mapping[int, Amount]) -> Amount:
    return sum(written.values(), Amount())
