"""docs/reliability.md says how the system answers without each server, and each row is tested."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.outage.page import row_on_page
from tests.outage.rows import row_of
from tests.outage.world import STORES, OutageWorld, outage_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OutageWorld]:
    async with outage_world(tmp_path_factory.mktemp("outage")) as world:
        yield world


@pytest.mark.parametrize("server", [*STORES, "Kafka", "Redis"])
async def test_the_system_answers_without_a_server_as_the_page_says(
    world: OutageWorld, server: str
) -> None:
    assert await row_of(world, server) == row_on_page(server)
