"""Which children one generation has at a later version than another."""

from collections.abc import AsyncIterator

from shared.mongo import Collection, Database
from shared.read_models.generations import Generation
from shared.read_models.models import Model

MOST = 1_000
CHILDREN_A_ROUND = 5_000


async def children_behind(database: Database, ahead: Generation, other: Generation) -> list[str]:
    """Children whose version in `other` is lower than in `ahead`, at most `MOST` of them.

    `other` is looked at after `ahead`, so a child that moves on in both meanwhile is not named.
    """
    found: list[str] = []
    others = other.collection(database, Model.CHILDREN)
    async for versions in _rounds(ahead.collection(database, Model.CHILDREN)):
        wanted = {"_id": {"$in": list(versions)}}
        documents = await others.find(wanted, {"version": 1}).to_list(None)
        there = {document["_id"]: document["version"] for document in documents}
        found += [child for child, version in versions.items() if there.get(child, 0) < version]
        if len(found) >= MOST:
            return found[:MOST]
    return found


async def _rounds(children: Collection) -> AsyncIterator[dict[str, int]]:
    after = ""
    while True:
        cursor = children.find({"_id": {"$gt": after}}, {"version": 1}).sort("_id", 1)
        documents = await cursor.limit(CHILDREN_A_ROUND).to_list(None)
        if not documents:
            return
        yield {document["_id"]: document["version"] for document in documents}
        after = documents[-1]["_id"]
