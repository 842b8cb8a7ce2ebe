"""The list of erased children, which outlives every restore."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pymongo import IndexModel

from shared.event_store.commit_documents import TIMEOUT_SECONDS, within
from shared.event_store.envelope import Commit
from shared.event_store.port import OlderContent
from shared.keyring.key_store import KeyStoreUnavailable
from shared.mongo import Database, Document


class ErasureStep(StrEnum):
    """What an erasure removes, in the order of the work."""

    KEY = "data_key"
    CLAIMS = "bear_reservations"
    SNAPSHOTS = "snapshots"
    READ_MODELS = "read_models"
    DEAD_LETTERS = "dead_letters"


@dataclass(frozen=True, slots=True)
class StepDone:
    """`removed` counts what was removed all in all, `at` is when it was last made sure of."""

    at: datetime
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedChild:
    """`version` and `hash` are those of the commit that ends the child's stream. `older`: what its
    commits hold that only earlier releases stored; None: nobody looked."""

    child_id: str
    at: datetime
    by_role: str
    version: int
    hash: str
    older: frozenset[OlderContent] | None = None
    steps: Mapping[ErasureStep, StepDone] = field(default_factory=dict)

    @staticmethod
    def of(commit: Commit, older: frozenset[OlderContent] | None = None) -> "ErasedChild":
        """The child that `commit` erases, before any step."""
        return ErasedChild(
            child_id=commit.child_id,
            at=commit.recorded_at,
            by_role=commit.actor.role,
            version=commit.last_version,
            hash=commit.hash,
            older=older,
        )

    @property
    def missing(self) -> list[ErasureStep]:
        return [step for step in ErasureStep if step not in self.steps]


@dataclass(frozen=True, slots=True)
class OpenErasures:
    """How many children are `erased`, how many of their erasures are `open`: not complete.
    `oldest`: the first of these, by the time of their erasure."""

    erased: int
    open: int
    oldest: list[ErasedChild]


class ErasedList(Protocol):
    """Nobody is ever taken off it.

    The list lies beside the keys, so it is restored with them or not at all; who must know for
    certain asks the topic of erasures too.
    """

    async def add(self, child: ErasedChild) -> None:
        """Put the child on the list, durably. The steps of one who is on it stay, and what is
        known of its older content, unless the new one has it."""

    async def record(self, child_id: str, step: ErasureStep, done: StepDone) -> None:
        """Note a step of a child on the list; what was removed adds up, and of a repetition that
        found nothing to remove the time is not noted. Others are ignored."""

    async def find(self, child_ids: Collection[str]) -> list[ErasedChild]:
        """Those of `child_ids` who are on the list."""

    async def page(self, after: str, limit: int) -> list[ErasedChild]:
        """At most `limit` of all, in order of child, from the one after `after` on."""

    async def since(self, moment: datetime) -> list[str]:
        """The children who were erased at `moment` or later, in any order."""

    async def open_erasures(self, limit: int) -> OpenErasures:
        """With at most `limit` of them."""


COLLECTION = "erased_children"

_OPEN: Document = {"$or": [{f"steps.{step.value}.at": None} for step in ErasureStep]}


async def ensure_erased_list_index(database: Database) -> None:
    """For `since`, which every process asks all the time."""
    async with within(TIMEOUT_SECONDS, KeyStoreUnavailable):
        await database[COLLECTION].create_index("at")


async def ensure_open_erasures_index(database: Database) -> None:
    """For each step one in which those are together whose erasure lacks it, by time. No process
    needs it to do its work. Raises KeyStoreUnavailable."""
    lacking = [IndexModel([(f"steps.{step.value}.at", 1), ("at", 1)]) for step in ErasureStep]
    async with within(TIMEOUT_SECONDS, KeyStoreUnavailable):
        await database[COLLECTION].create_indexes(lacking)


class MongoErasedList:
    """Raises KeyStoreUnavailable."""

    def __init__(self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._children = database[COLLECTION]
        self._timeout = timeout_seconds

    async def add(self, child: ErasedChild) -> None:
        content: Document = {
            "at": child.at,
            "by_role": child.by_role,
            "version": child.version,
            "hash": child.hash,
        }
        if child.older is not None:
            content["older"] = sorted(child.older)
        async with within(self._timeout, KeyStoreUnavailable):
            await self._children.update_one({"_id": child.child_id}, {"$set": content}, upsert=True)

    async def record(self, child_id: str, step: ErasureStep, done: StepDone) -> None:
        place = f"steps.{step.value}"
        removed = int(done.removed)  # True counts as 1 in Python, for MongoDB it is no number
        at = done.at if removed else {"$ifNull": [f"${place}.at", done.at]}
        so_far = {"$ifNull": [f"${place}.removed", 0]}
        change = {f"{place}.at": at, f"{place}.removed": {"$add": [so_far, removed]}}
        async with within(self._timeout, KeyStoreUnavailable):
            await self._children.update_one({"_id": child_id}, [{"$set": change}])

    async def find(self, child_ids: Collection[str]) -> list[ErasedChild]:
        async with within(self._timeout, KeyStoreUnavailable):
            found = await self._children.find({"_id": {"$in": list(child_ids)}}).to_list(None)
        return [_from_document(document) for document in found]

    async def page(self, after: str, limit: int) -> list[ErasedChild]:
        following = self._children.find({"_id": {"$gt": after}}).sort("_id").limit(limit)
        async with within(self._timeout, KeyStoreUnavailable):
            found = await following.to_list(None)
        return [_from_document(document) for document in found]

    async def since(self, moment: datetime) -> list[str]:
        async with within(self._timeout, KeyStoreUnavailable):
            found = await self._children.find({"at": {"$gte": moment}}, {"_id": 1}).to_list(None)
        return [document["_id"] for document in found]

    async def open_erasures(self, limit: int) -> OpenErasures:
        first = self._children.find(_OPEN).sort("at").limit(limit)
        async with within(self._timeout, KeyStoreUnavailable):
            oldest = [_from_document(document) for document in await first.to_list(None)]
            number = len(oldest)
            if number == limit:
                most_ms = round(self._timeout * 1_000)
                number = await self._children.count_documents(_OPEN, maxTimeMS=most_ms)
            erased = await self._children.estimated_document_count()  # nobody is taken off
        return OpenErasures(erased, number, oldest)


def _from_document(document: Document) -> ErasedChild:
    steps, older = document.get("steps", {}), document.get("older")
    return ErasedChild(
        child_id=document["_id"],
        at=document["at"],
        by_role=document["by_role"],
        version=document["version"],
        hash=document["hash"],
        older=None if older is None else frozenset(map(OlderContent, older)),
        steps={ErasureStep(name): StepDone(**done) for name, done in steps.items()},
    )
