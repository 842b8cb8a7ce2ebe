"""docs/reliability.md says what is seen while a server is away, and each row is tried."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.away.page import row_on_page
from tests.away.rows import row_of
from tests.away.world import STORES, AwayWorld, away_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AwayWorld]:
    async with away_world(tmp_path_factory.mktemp("away")) as world:
        yield world


@pytest.mark.parametrize("server", [*STORES, "Kafka", "Redis"])
async def test_a_server_that_is_away_is_seen_as_the_page_says(
    world: AwayWorld, server: str
) -> None:
    assert await row_of(world, server) == row_on_page(server)
