"""One cluster and one stack on it for all tests here. What they measure is told at the end."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.apache_kafka.installation import installation
from deploy.local.settings import LocalStackSettings
from deploy.local.state import StackFolder
from tests.apache_kafka.cluster import KafkaCluster, kafka_cluster
from tests.apache_kafka.stack import stack_on

MEASURED = pytest.StashKey[list[str]]()

Measured = Callable[[str], None]


@pytest_asyncio.fixture(scope="session")
async def one_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KafkaCluster]:
    folder = Path(tmp_path_factory.mktemp("kafka"))
    kafka = await installation(LocalStackSettings(), print)
    async with kafka_cluster(kafka, folder) as cluster:
        yield cluster


@pytest_asyncio.fixture
async def cluster(one_cluster: KafkaCluster) -> KafkaCluster:
    """Whole, whatever the test before did to it."""
    await one_cluster.repair()
    return one_cluster


@pytest_asyncio.fixture(scope="session")
async def services(
    one_cluster: KafkaCluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[StackFolder]:
    """MongoDB and the four services; `running` tells their state."""
    folder = Path(tmp_path_factory.mktemp("stack"))
    async with stack_on(one_cluster.bootstrap, folder) as stack:
        yield stack


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Keeps what a test measured for the end of the run."""
    lines = request.config.stash.setdefault(MEASURED, [])
    return lambda line: lines.append(f"{request.node.name}: {line}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = terminalreporter.config.stash.get(MEASURED, [])
    if lines:
        terminalreporter.section("measured on Apache Kafka")
        for line in lines:
            terminalreporter.line(line)
