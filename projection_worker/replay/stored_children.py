"""All documents of some children, each child as it was at one moment."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from projection_worker.projections.registry import Place
from shared.mongo import Collection, Database, Mongo, Session, aggregate
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

    async def owners(self, model: Model) -> AsyncIterator[str]:
        """The ids of all children that `model` has a document of."""
        collection = self._collections[model]
        if model in OWNER_IS_ID:
            async for document in collection.find({}, {"_id": 1}):
                yield document["_id"]
            return
        async for group in _grouped(collection):
            yield group["_id"]

    async def _find(
        self, model: Model, child_ids: Sequence[str], session: Session
    ) -> list[tuple[str, Any]]:
        owner = "_id" if model in OWNER_IS_ID else "child_id"
        cursor = self._collections[model].find({owner: {"$in": list(child_ids)}}, session=session)
        return [(document[owner], document) for document in await cursor.to_list(None)]


def _grouped(collection: Collection) -> AsyncIterator[dict[str, Any]]:
    return aggregate(collection, [{"$group": {"_id": "$child_id"}}])
