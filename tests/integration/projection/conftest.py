from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from shared.mongo import Driver, Mongo
from shared.read_models.generations import begin_catalog
from shared.read_models.indexes import ensure_read_model_indexes
from tests.support.operations_agents import Agents
from tests.support.projection_side import GENERATION, ProjectionSide
from tests.support.worker_process import World, worker_world


@pytest_asyncio.fixture
async def side(
    driver: Driver, mongo_url: str, fresh_database: str
) -> AsyncIterator[ProjectionSide]:
    mongo = Mongo(mongo_url, driver)
    database = mongo.database(fresh_database)
    await ensure_read_model_indexes(database, GENERATION)
    yield ProjectionSide(mongo, database)
    await mongo.close()


@pytest_asyncio.fixture
async def world(
    mongo_url: str, kafka_bootstrap: str, fresh_database: str, tmp_path: Path
) -> AsyncIterator[World]:
    """What worker processes need, on a real broker and real servers."""
    async with worker_world(mongo_url, kafka_bootstrap, fresh_database, tmp_path) as world:
        yield world


@pytest_asyncio.fixture
async def agents(mongo_url: str, fresh_database: str) -> AsyncIterator[Agents]:
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    await begin_catalog(database, 7)
    yield Agents(database)
    await mongo.close()
