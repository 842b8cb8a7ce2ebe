"""Removes what an erased child has beside its own document, in steps.

However much there is, no transaction holds more than a step of it. The child's own document comes
last, as a tombstone and by whoever asked for the removal: killed in between, the worker is handed
the erasure again and goes on with what is left. Until then it has a field `removed`, which counts
what went.
"""

from collections import Counter
from collections.abc import Collection as AnyCollection
from collections.abc import Mapping

from pymongo import UpdateOne

from shared.fault_points import FaultPoint, reached
from shared.mongo import Collection, Database, Document, Mongo, Session
from shared.read_models.deliveries import deliveries
from shared.read_models.models import Model

STEP_DOCUMENTS = 1_000
OF_A_CHILD = (Model.CONVERSATIONS, Model.VIOLATIONS, Model.ACTIVITY, Model.ALERTS)


def documents_beside(*child_ids: str) -> dict[Model, Document]:
    """How the documents of these children are found in each model, beside their own in
    `children`."""
    theirs = {"$in": list(child_ids)}
    return {**{model: {"child_id": theirs} for model in OF_A_CHILD}, Model.SAFETY: {"_id": theirs}}


class Removal:
    """Of one generation, and of the deliveries of alerts, which all generations have in common."""

    def __init__(
        self, mongo: Mongo, database: Database, collections: Mapping[Model, Collection]
    ) -> None:
        self._mongo = mongo
        self._database = database
        self._collections = collections

    async def of(self, child_ids: AnyCollection[str]) -> None:
        """Returns once nothing is there any more. How many documents of a child went is counted in
        its own, deliveries left out."""
        for model, wanted in documents_beside(*child_ids).items():
            while await self._step(self._collections[model], wanted, counted=True):
                reached(FaultPoint.WORKER_MID_ERASURE)
        told = {"child_id": {"$in": list(child_ids)}}
        while await self._step(deliveries(self._database), told, counted=False):
            reached(FaultPoint.WORKER_MID_ERASURE)

    async def counted(self, child_ids: AnyCollection[str], session: Session) -> dict[str, int]:
        """How many documents of each child were removed, with its own; 0 without one."""
        theirs = {"_id": {"$in": list(child_ids)}}
        found = self._collections[Model.CHILDREN].find(theirs, {"removed": 1}, session=session)
        there = {one["_id"]: 1 + one.get("removed", 0) for one in await found.to_list(None)}
        return {child_id: there.get(child_id, 0) for child_id in child_ids}

    async def _step(self, collection: Collection, wanted: Document, *, counted: bool) -> bool:
        """Whether there was anything to remove."""
        some = collection.find(wanted, {"child_id": 1}).limit(STEP_DOCUMENTS)
        found = await some.to_list(None)
        if not found:
            return False
        async with self._mongo.transaction() as session:
            there = {"_id": {"$in": [one["_id"] for one in found]}}
            await collection.delete_many(there, session=session)
            if counted:
                owners = Counter(one.get("child_id", one["_id"]) for one in found)
                counts = [
                    UpdateOne({"_id": child_id}, {"$inc": {"removed": count}})
                    for child_id, count in owners.items()
                ]
                await self._collections[Model.CHILDREN].bulk_write(counts, session=session)
        return True
