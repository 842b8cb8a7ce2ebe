"""Documents that somebody with the database's password alters, and that are put back behind."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.attack.row import Broken, Seen
from tests.attack.world import Document, World
from tests.support.commands import Said
from tests.support.waiting import STARTED, eventually

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
VERIFY = ("audit", "verify")
PURGE = ("retention", "apply")
THIRTY_DAYS = {"TEDDY_RETENTION_AUDIT_DAYS": "30"}
Change = Callable[[Sequence[Document]], Sequence[Document]]
"""From what is stored to what is written in its place; what it leaves out is deleted."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """`change` of the collection's documents of `which`, then `command`: it ends with exit code 1
    and says `named`. All is put back behind."""

    name: str
    change: Change
    named: str
    collection: tuple[str, str] = ("audit", "audit_blocks")
    command: tuple[str, ...] = VERIFY
    ci: bool = False

    @property
    def tried(self) -> str:
        return f"{self.collection[1]}, then `teddy {' '.join(self.command)}`"

    @property
    def expected(self) -> str:
        return f"exit code 1, {self.named!r}"

    async def attempt(self, world: World) -> Seen:
        await clean(world)
        async with tampered(world, self.collection, self.change) as count:
            said = await world.teddy(*self.command, **THIRTY_DAYS)
            left = await count()
        reported = said.out + said.err
        if self.command == PURGE and left:
            return Seen(False, f"{left} documents were deleted")
        if said.code == 1 and self.named in reported:
            return Seen(True, "exit code 1, named")
        return Seen(False, f"exit code {said.code}: {reported.strip()[:200]!r}")


async def clean(world: World) -> None:
    """Or else somebody's tampering would be told of before this one. All is signed by then."""
    said: list[Said] = []

    async def is_clean() -> bool:
        said.append(await world.teddy(*VERIFY))
        return said[-1].code == 0 and "are not signed" not in said[-1].out

    try:
        await eventually(is_clean, STARTED)
    except TimeoutError:
        raise Broken(f"not clean before: {said[-1].out.strip()[-200:]!r}") from None


@asynccontextmanager
async def tampered(
    world: World, where: tuple[str, str], change: Change
) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Gives what counts how many of the documents, as changed, were deleted since."""
    async with world.collection(*where) as documents:
        before = await documents.find({}).sort("_id", 1).to_list(None)
        after = {one["_id"]: one for one in change(deepcopy(before))}
        gone = [one["_id"] for one in before if one["_id"] not in after]
        new = after.keys() - {one["_id"] for one in before}

        async def deleted() -> int:
            return len(after) - int(await documents.count_documents({"_id": {"$in": list(after)}}))

        try:
            await documents.delete_many({"_id": {"$in": gone}})
            for one in after.values():
                await documents.replace_one({"_id": one["_id"]}, one, upsert=True)
            yield deleted
        finally:
            await documents.delete_many({"_id": {"$in": list(new)}})
            for one in before:
                await documents.replace_one({"_id": one["_id"]}, one, upsert=True)


def each(**fields: Any) -> Change:
    return lambda documents: [one | fields for one in documents]


def first(change: Callable[[Document], Document]) -> Change:
    return lambda documents: [change(documents[0]), *documents[1:]]


def with_field(name: str, value: Any) -> Callable[[Document], Document]:
    return lambda document: document | {name: value}


def edited(document: Document) -> Document:
    return document | {
        "lines": [document["lines"][0].replace("accepted", "refused"), *document["lines"][1:]]
    }


def without(place: slice) -> Change:
    def change(documents: Sequence[Document]) -> Sequence[Document]:
        kept = list(documents)
        del kept[place]
        return kept

    return change


def exchanged(documents: Sequence[Document]) -> Sequence[Document]:
    first, second, *others = documents
    return [
        first | {"lines": second["lines"], "digests": second["digests"]},
        second | {"lines": first["lines"], "digests": first["digests"]},
        *others,
    ]


def forged(head: Document) -> Document:
    return head | {"statement": head["statement"][:-6] + "AAAAAA"}


def of_the_child(change: Callable[[list[Document]], None]) -> Change:
    """Of the child that has most commits: its versions 1, 2, ..."""

    def changed(documents: Sequence[Document]) -> Sequence[Document]:
        most = Counter(one["child_id"] for one in documents).most_common(1)[0][0]
        own = [one for one in documents if one["child_id"] == most]
        change(own)
        return [*(one for one in documents if one["child_id"] != most), *own]

    return changed


def by_somebody_else(commits: list[Document]) -> None:
    commits[1]["actor"] = commits[1]["actor"] | {"subject": "somebody-else"}


def events_exchanged(commits: list[Document]) -> None:
    commits[1]["events"], commits[2]["events"] = commits[2]["events"], commits[1]["events"]


def one_deleted(commits: list[Document]) -> None:
    del commits[1]


def truncated(commits: list[Document]) -> None:
    del commits[-1]
