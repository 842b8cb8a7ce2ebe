"""What tests of several folders need beside the servers that all share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.mongo import Driver
from tests.support.own_servers import OwnMongod, own_mongod


@pytest.fixture(params=["motor", "pymongo"])
def driver(request: pytest.FixtureRequest) -> Driver:
    chosen: Driver = request.param
    return chosen


@pytest_asyncio.fixture
async def mongod(tmp_path: Path) -> AsyncIterator[OwnMongod]:
    """Of the test's own."""
    async with own_mongod(tmp_path / "mongod") as mongod:
        yield mongod
