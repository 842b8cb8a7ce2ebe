"""A worker that no longer gets on ends itself, so that whoever supervises it starts another."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from shared.clock import new_id
from shared.kafka import CHILD_EVENTS
from tests import support
from tests.support.own_servers import OwnMongod
from tests.support.worker_process import World, worker_world

STALL_SECONDS = 3
DEFECT = Path(support.__file__).parent / "defect"
ENDED_SECONDS = 60.0


@pytest.fixture
def mongo_url(mongod: OwnMongod) -> str:
    """Instead of the server that all tests share."""
    return mongod.url


@pytest_asyncio.fixture
async def world(
    mongo_url: str, kafka_bootstrap: str, fresh_database: str, tmp_path: Path
) -> AsyncIterator[World]:
    async with worker_world(mongo_url, kafka_bootstrap, fresh_database, tmp_path) as world:
        world.environment["TEDDY_WORKER_STALL_SECONDS"] = str(STALL_SECONDS)
        yield world


async def test_lag_without_progress_ends_the_worker_with_one_line(
    world: World, mongod: OwnMongod, tmp_path: Path
) -> None:
    child_id = await world.happenings.a_registered_child()
    log = tmp_path / "worker.log"
    async with world.worker(log) as worker:
        # given a worker that got on until its read models answered no more
        await world.until(lambda: world.is_at(child_id, 1))
        with mongod.frozen():
            await _publish(world.bootstrap)
            # when
            code = await asyncio.wait_for(worker.wait(), ENDED_SECONDS)
    # then
    errors = log.read_text()
    assert code == 1
    last_line = errors.splitlines()[-1]
    assert last_line.startswith("worker: ")
    assert "records wait, none projected for" in last_line
    assert "Traceback" not in errors


async def test_a_worker_in_which_something_crashed_ends_with_one_line(
    world: World, tmp_path: Path
) -> None:
    # given a worker with a defect
    world.environment["PYTHONPATH"] = str(DEFECT)
    log = tmp_path / "worker.log"
    async with world.worker(log) as worker:
        # when
        await _publish(world.bootstrap)
        code = await asyncio.wait_for(worker.wait(), ENDED_SECONDS)
    # then
    assert code == 1
    last_line = log.read_text().splitlines()[-1]
    assert last_line == "worker: ended by an unexpected error, ZeroDivisionError; see its log"


async def _publish(bootstrap: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        await producer.send_and_wait(CHILD_EVENTS.name, b"{}", new_id().encode())
