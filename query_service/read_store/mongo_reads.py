"""What all reads from MongoDB have in common: the live generation, and how pages go on."""

from collections.abc import Sequence

from query_service.read_store.live_generation import READ_SECONDS, LiveGeneration
from query_service.read_store.port import Place, ReadStoreUnavailable
from shared.event_store.driver_errors import within
from shared.mongo import Collection, Database, Document
from shared.read_models.models import Model


class MongoReads:
    """Every coroutine raises ReadStoreUnavailable."""

    def __init__(self, database: Database, live: LiveGeneration) -> None:
        self._database = database
        self._live = live

    async def _collection(self, model: Model) -> Collection:
        return (await self._live.current()).collection(self._database, model)

    async def _page(
        self, model: Model, conditions: Sequence[Document], by: str, after: Place | None, limit: int
    ) -> list[Document]:
        """At most `limit` documents after `after`, the newest `by` first."""
        return await page_of(await self._collection(model), conditions, by, after, limit)


async def page_of(
    collection: Collection,
    conditions: Sequence[Document],
    by: str,
    after: Place | None,
    limit: int,
) -> list[Document]:
    """At most `limit` documents after `after`, the newest `by` first, and then by `_id`."""
    beyond = [] if after is None else [_beyond(by, after)]
    found = collection.find({"$and": [*conditions, *beyond]}).sort([(by, -1), ("_id", 1)])
    async with within(READ_SECONDS, ReadStoreUnavailable):
        return await found.limit(limit).to_list(limit)


def _beyond(field: str, after: Place) -> Document:
    """What sorts after `after`. The outer bound keeps a late page as cheap as the first: the
    index is entered there."""
    tie = {field: after.at, "_id": {"$gt": after.id}}
    return {field: {"$lte": after.at}, "$or": [{field: {"$lt": after.at}}, tie]}
