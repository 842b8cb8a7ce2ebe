"""History, audit trail and proofs in the hands of somebody with the database's password, but no
signing key: whatever is altered is named, and nothing is deleted because of it."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.audit.process import AuditProcess
from shared.audit.record import AuditRecord
from shared.clock import new_id, utc_now
from shared.settings import AuditSettings
from tests.attack.proofs import ALTERED
from tests.attack.row import Broken, Deed, Row, Seen
from tests.attack.world import Document, World
from tests.support.commands import Said
from tests.support.waiting import STARTED, eventually

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
EVER = ("--from", "2000-01-01", "--to", "2100-01-01")
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
        await _clean(world)
        async with _tampered(world, self.collection, self.change) as count:
            said = await world.teddy(*self.command, **THIRTY_DAYS)
            left = await count()
        told = said.out + said.err
        if self.command == PURGE and left:
            return Seen(False, f"{left} documents were deleted")
        if said.code == 1 and self.named in told:
            return Seen(True, "exit code 1, named")
        return Seen(False, f"exit code {said.code}: {told.strip()[:200]!r}")


async def _clean(world: World) -> None:
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
async def _tampered(
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


def _each(**fields: Any) -> Change:
    return lambda documents: [one | fields for one in documents]


def _first(change: Callable[[Document], Document]) -> Change:
    return lambda documents: [change(documents[0]), *documents[1:]]


def _with(name: str, value: Any) -> Callable[[Document], Document]:
    return lambda document: document | {name: value}


def _edited(document: Document) -> Document:
    return document | {
        "lines": [document["lines"][0].replace("accepted", "refused"), *document["lines"][1:]]
    }


def _without(place: slice) -> Change:
    def change(documents: Sequence[Document]) -> Sequence[Document]:
        kept = list(documents)
        del kept[place]
        return kept

    return change


def _two_in_each_other_s_place(documents: Sequence[Document]) -> Sequence[Document]:
    first, second, *others = documents
    return [
        first | {"lines": second["lines"], "digests": second["digests"]},
        second | {"lines": first["lines"], "digests": first["digests"]},
        *others,
    ]


def _forged(head: Document) -> Document:
    return head | {"statement": head["statement"][:-6] + "AAAAAA"}


def _of_the_child(change: Callable[[list[Document]], None]) -> Change:
    """Of the child that has most commits: its versions 1, 2, ..."""

    def changed(documents: Sequence[Document]) -> Sequence[Document]:
        most = Counter(one["child_id"] for one in documents).most_common(1)[0][0]
        own = [one for one in documents if one["child_id"] == most]
        change(own)
        return [*(one for one in documents if one["child_id"] != most), *own]

    return changed


def _by_somebody_else(commits: list[Document]) -> None:
    commits[1]["actor"] = commits[1]["actor"] | {"subject": "somebody-else"}


def _exchanged(commits: list[Document]) -> None:
    commits[1]["events"], commits[2]["events"] = commits[2]["events"], commits[1]["events"]


def _delete_one(commits: list[Document]) -> None:
    del commits[1]


def _truncate(commits: list[Document]) -> None:
    del commits[-1]


COMMITS, HEADS = ("write", "commits"), ("audit", "audit_heads")
BESIDE = "edited beside its records"
TAMPERINGS: tuple[Row, ...] = (
    Tampering(
        "records of today made to look old",
        _each(since=LONG_AGO, until=LONG_AGO),
        f"{BESIDE}: since, until",
        command=PURGE,
        ci=True,
    ),
    Tampering(
        "records of today made to end long ago",
        _each(until=LONG_AGO),
        f"{BESIDE}: until",
        command=PURGE,
    ),
    Tampering("blocks made to look old", _each(since=LONG_AGO), f"{BESIDE}: since"),
    Tampering(
        "records hidden from the index",
        _each(children=[], subjects=[], operations=[]),
        f"{BESIDE}: children, subjects, operations",
        ci=True,
    ),
    *(
        Tampering(f"`{name}` of a block", _first(_with(name, value)), named)
        for name, value, named in (
            ("first", 77, f"{BESIDE}: first"),
            ("last", 78, f"{BESIDE}: last"),
            ("hash", "0" * 64, "edited: its hash does not cover its digests"),
            ("digests", ["0" * 64], "edited: its hash does not cover its digests"),
            ("lines", ['{"no": "record"}'], "deleted or edited"),
        )
    ),
    Tampering("a record edited", _first(_edited), "record 1: edited", ci=True),
    Tampering("a block deleted", _without(slice(1, 2)), "deleted"),
    Tampering("two blocks exchanged", _two_in_each_other_s_place, "does not cover its digests"),
    Tampering("all blocks deleted", _without(slice(None)), "are gone"),
    Tampering("a head forged", _first(_forged), "the signature does not match", HEADS, ci=True),
    Tampering("a head deleted", _without(slice(0, 1)), "head 1: deleted", HEADS),
    Tampering(
        "all heads deleted, then the purge",
        _without(slice(None)),
        "head 1: deleted from the database",
        HEADS,
        PURGE,
    ),
    Tampering(
        "a commit by somebody else",
        _of_the_child(_by_somebody_else),
        "content differs from hash",
        COMMITS,
        ci=True,
    ),
    Tampering(
        "two commits exchanged", _of_the_child(_exchanged), "content differs from hash", COMMITS
    ),
    Tampering("a commit deleted", _of_the_child(_delete_one), "deleted: versions", COMMITS),
    Tampering("the last commit deleted", _of_the_child(_truncate), "are gone", COMMITS),
    Tampering("all commits of a child deleted", _of_the_child(list.clear), "are gone", COMMITS),
    Tampering(
        "read models made to look old",
        lambda found: [*found, {"_id": "horizon", "activity": "2100-01-01"}],
        "read_model_horizon holds a later day",
        ("read", "read_model_horizon"),
        PURGE,
    ),
)


async def _unsigned_for_long(world: World) -> str:
    """A process that was killed before it signed: its records can be rewritten by anybody."""
    await _clean(world)
    named = {f"TEDDY_{name}".upper(): name for name in AuditSettings.model_fields}
    given = world.state.environment.items()
    own = {named[variable]: value for variable, value in given if variable in named}
    settings = AuditSettings.model_validate({**own, "audit_strict": True})
    killed = AuditProcess(settings, "killed")
    record = AuditRecord(
        at=utc_now() - timedelta(minutes=3),
        subject=world.words["stranger"],
        role="parent",
        operation="GetChildProfile",
        outcome="answered",
        address="127.0.0.1",
        correlation_id=new_id(),
        children=(world.words["child"],),
    )
    await killed.trail.record(record)
    await killed.mongo.close()
    said = await world.teddy(*VERIFY)
    for name in ("audit_blocks", "audit_segments"):
        async with world.collection("audit", name) as documents:
            segment = {"$in": [killed.trail.segment]}
            await documents.delete_many({"$or": [{"segment": segment}, {"_id": segment}]})
    if said.code != 1 or "not signed, the oldest since" not in said.out:
        raise Broken(f"exit code {said.code}: {said.out.strip()[-200:]!r}")
    return "exit code 1, named"


async def _left_behind(world: World) -> str:
    """Something of an erased child that was kept, or put back from a backup."""
    receipt = world.folder.path / f"{new_id()}.receipt"
    erased = world.words["erased"]
    receipt.write_text((await world.teddy("erase", "receipt", erased)).out)
    async with world.collection("write", "claims") as claims:
        await claims.insert_one({"_id": f"TEDDY-{new_id()}", "child_id": erased})
        said = await world.teddy("erase", "verify", str(receipt))
        await claims.delete_many({"child_id": erased})
    clean = await world.teddy("erase", "verify", str(receipt))
    if (said.code, clean.code) != (1, 0):
        raise Broken(
            f"exit code {said.code}, then {clean.code}: {said.out[-200:]}{clean.out[-200:]}"
        )
    return "exit code 1, named"


DEEDS: tuple[Row, ...] = (
    Deed(
        "records that nobody signed",
        "a process killed 3 minutes ago, `teddy audit verify`",
        "exit code 1, named",
        _unsigned_for_long,
    ),
    Deed(
        "something left of an erased child",
        "a reservation put back, `teddy erase verify`",
        "exit code 1, named; 0 without it",
        _left_behind,
    ),
)
ROWS: tuple[Row, ...] = (*TAMPERINGS, *ALTERED, *DEEDS)
