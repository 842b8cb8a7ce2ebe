"""Servers and stacks that tests ask for; nothing starts before a test does."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack

import hypothesis
import pymongo
import pytest
import structlog

from deploy.local.state import StackFolder, StackState
from shared.clock import new_id
from tests.support import stack
from tests.support.guardian import MARK, guarded
from tests.support.own_servers import own_stack, state_of

SELDOM = (20_000, 20, 50)

hypothesis.settings.register_profile("any machine", deadline=None)  # a busy one is slow, not wrong
hypothesis.settings.load_profile("any machine")

pytest_plugins = (
    "tests.support.distribution",
    "tests.support.hung_tests",
    "tests.support.plain_shell",
    "tests.support.room",
)


def pytest_configure(config: pytest.Config) -> None:
    """One guardian for a run, be it of one process or of many; and plain tracebacks in the log."""
    _log_plainly()
    if MARK not in os.environ:
        run = ExitStack()
        run.enter_context(guarded(new_id()))
        config.add_cleanup(run.close)


def _log_plainly() -> None:
    """By default structlog draws the local variables of each frame: seconds for one error."""
    *others, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[*others, plain])


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end, and FastAPI keeps the latest thousands of routes that
    it made: without this a fifth of the time goes into looking at them again and again."""
    gc.freeze()
    gc.set_threshold(*SELDOM)


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
    with own_stack(tmp_path_factory.mktemp("stack")) as folder:
        yield folder


@pytest.fixture
def running(services: StackFolder) -> StackState:
    """The state of the whole stack as it is now."""
    return state_of(services)


@pytest.fixture
def state(folder: StackFolder) -> StackState:
    """Of the stack that a file of tests has for itself, its fixture `folder`."""
    return state_of(folder)
