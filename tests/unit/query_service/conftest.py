import pytest

from tests.support.query_side import QuerySide


@pytest.fixture
def side() -> QuerySide:
    return QuerySide()
