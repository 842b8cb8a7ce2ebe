from collections.abc import AsyncIterator

import pytest

from tests.support.query_side import QuerySide


@pytest.fixture
async def side() -> AsyncIterator[QuerySide]:
    side = QuerySide()
    yield side
    await side.close()
