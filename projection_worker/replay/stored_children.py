"""All documents of some children, each child as it was at one moment."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from projection_worker.projections.registry import Place
from shared.mongo import Collection, Database, Document, Mongo, Session, aggregate
from shared.read_models.generations import Generation
from shared.read_models.models import Model

OWNED = (
    Model.CONVERSATIONS,
    Model.SAFETY,
    Model.VIOLATIONS,
    Model.ACTIVITY,
    Model.ALERTS,
)
OWNER_IS_ID = (Model.CHILDREN, Model.SAFETY)


class StoredChildren:
    """Of one generation."""

    def __init__(self, mongo: Mongo, database: Database, generation: Generation) -> None:
        self._mongo = mongo
        self._collections = generation.collections(database)

    async def of(self, child_ids: Sequence[str]) -> dict[str, dict[Place, Any]]:
        """Every document of these children, by child and place; children without any are left
        out."""
        found: dict[str, dict[Place, Any]] = {}
        async with self._mongo.session(snapshot=True) as session:
            for model in (Model.CHILDREN, *OWNED):
                for owner, document in await self._find(model, child_ids, session):
                    found.setdefault(owner, {})[model, document["_id"]] = document
        return found

    @asynccontextmanager
    async def one_by_one(
        self, child_id: str
    ) -> AsyncIterator[tuple[int, AsyncIterator[tuple[Place, Any]]]]:
        """The version that one child's documents have reached (0: it has none), and each of them;
        all of one moment, and not in memory at once."""
        async with self._mongo.session(snapshot=True) as session:
            children = self._collections[Model.CHILDREN]
            child = await children.find_one({"_id": child_id}, {"version": 1}, session=session)
            version = 0 if child is None else int(child["version"])
            yield version, self._each(child_id, session)

    async def version(self, child_id: str) -> int:
        """The one that the child's documents have reached; 0: it has none."""
        found = await self._collections[Model.CHILDREN].find_one({"_id": child_id}, {"version": 1})
        return 0 if found is None else int(found["version"])

    async def events(self) -> int:
        """How many events all documents have seen."""
        summed: Document = {"$group": {"_id": None, "events": {"$sum": "$version"}}}
        async for group in aggregate(self._collections[Model.CHILDREN], [summed]):
            return int(group["events"])
        return 0

    async def owners(self, model: Model) -> AsyncIterator[str]:
        """The ids of all children that `model` has a document of."""
        collection = self._collections[model]
        if model in OWNER_IS_ID:
            async for document in collection.find({}, {"_id": 1}):
                yield document["_id"]
            return
        async for group in _grouped(collection):
            yield group["_id"]

    async def _each(self, child_id: str, session: Session) -> AsyncIterator[tuple[Place, Any]]:
        for model in (Model.CHILDREN, *OWNED):
            wanted = {_owner(model): child_id}
            async for document in self._collections[model].find(wanted, session=session):
                yield (model, document["_id"]), document

    async def _find(
        self, model: Model, child_ids: Sequence[str], session: Session
    ) -> list[tuple[str, Any]]:
        owner = _owner(model)
        cursor = self._collections[model].find({owner: {"$in": list(child_ids)}}, session=session)
        return [(document[owner], document) for document in await cursor.to_list(None)]


def _owner(model: Model) -> str:
    """The field with the child's id."""
    return "_id" if model in OWNER_IS_ID else "child_id"


def _grouped(collection: Collection) -> AsyncIterator[dict[str, Any]]:
    return aggregate(collection, [{"$group": {"_id": "$child_id"}}])
