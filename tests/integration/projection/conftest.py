from collections.abc import AsyncIterator

import pytest_asyncio

from shared.mongo import Mongo
from shared.read_models.indexes import ensure_read_model_indexes
from tests.support.projection_side import GENERATION, ProjectionSide


@pytest_asyncio.fixture(params=["motor", "pymongo"])
async def side(request, mongo_url: str, fresh_database: str) -> AsyncIterator[ProjectionSide]:
    mongo = Mongo(mongo_url, request.param)
    database = mongo.database(fresh_database)
    await ensure_read_model_indexes(database, GENERATION)
    yield ProjectionSide(mongo, database)
    await mongo.close()
