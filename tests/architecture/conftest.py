"""No test here needs a server: `make test-unit` takes seconds, and runs anywhere."""

from collections.abc import Iterator

import pytest

from tests.support.no_servers import no_servers


@pytest.fixture(autouse=True)
def serverless() -> Iterator[None]:
    with no_servers():
        yield


@pytest.fixture(scope="session")
def servers() -> None:
    pytest.fail("a test that needs servers belongs to tests/integration")


@pytest.fixture(scope="session")
def services() -> None:
    pytest.fail("a test that needs a whole stack belongs to tests/e2e")
