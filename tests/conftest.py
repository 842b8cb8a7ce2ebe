"""Servers and stacks that tests ask for; nothing starts before a test does."""

from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest

from deploy.local import control
from deploy.local.state import StackFolder, StackState
from shared.clock import new_id
from tests.support import stack


@pytest.fixture(scope="session")
def servers() -> Iterator[stack.Servers]:
    """MongoDB and Kafka for the whole session."""
    with stack.chosen()() as servers:
        yield servers


@pytest.fixture(scope="session")
def mongo_url(servers: stack.Servers) -> str:
    return servers.mongo_url


@pytest.fixture(scope="session")
def kafka_bootstrap(servers: stack.Servers) -> str:
    return servers.kafka_bootstrap


@pytest.fixture
def fresh_database(mongo_url: str) -> Iterator[str]:
    """The name of a database that nobody else uses; dropped afterwards."""
    name = f"test_{new_id().replace('-', '')}"
    yield name
    with pymongo.MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    """A whole local stack with all four services, as `teddy up` starts it."""
    folder = StackFolder(Path(tmp_path_factory.mktemp("stack")))
    control.up(folder)
    yield folder
    control.down(folder)


@pytest.fixture
def running(services: StackFolder) -> StackState:
    """The state of the whole stack as it is now."""
    state = services.load()
    assert state is not None
    return state
