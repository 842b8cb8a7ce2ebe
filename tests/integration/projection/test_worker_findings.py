"""A worker that does not keep the read models up to date says so, or ends itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.topics import apply_topics
from projection_worker.projections import registry
from query_service.read_store.live_generation import LiveGeneration
from shared.kafka import CHILD_EVENTS
from shared.read_models.generations import POINTER_COLLECTION, POINTER_ID
from tests.support.own_servers import own_kafka
from tests.support.waiting import STARTED, eventually
from tests.support.worker_process import World, worker_world

EARLIER = {"generation": 1, "projections": registry.VERSION - 1, "was_live": True}
STALL_SECONDS = 3


@pytest_asyncio.fixture
async def apart(mongo_url: str, fresh_database: str, tmp_path: Path) -> AsyncIterator[World]:
    """On a broker of the test's own."""
    async with (
        own_kafka(tmp_path / "broker") as broker,
        worker_world(mongo_url, broker.address, fresh_database, tmp_path) as world,
    ):
        yield world


async def test_a_worker_of_raised_projections_is_not_healthy_before_a_rebuild(world: World) -> None:
    # given read models that an earlier release wrote, and events that nobody projects
    pointer = {"_id": POINTER_ID, "generation": 1, "kept": [EARLIER]}
    await world.database[POINTER_COLLECTION].insert_one(pointer)
    await world.happenings.a_registered_child()
    async with world.worker(ready=False):
        # when
        report = await world.until(
            world.report, lambda report: report["lag"]["events"] == 1 and report.get("findings")
        )
    # then
    assert report["status"] == "not_ready"
    (finding,) = report["findings"]
    assert finding.startswith("waits for a rebuild")
    assert finding.endswith("run `teddy replay rebuild`")


async def test_a_worker_notes_up_to_when_all_is_projected(world: World) -> None:
    live = LiveGeneration(world.database, lambda: 0.0, lambda: None)
    assert await live.projected_through() is None
    async with world.worker():
        # when
        child_id = await world.happenings.a_registered_child()
        # then
        await world.until(lambda: world.is_at(child_id, 1))
        await world.until(world.report, lambda report: report["lag"]["events"] == 0)
        await world.until(
            lambda: LiveGeneration(world.database, lambda: 0.0, lambda: None).projected_through()
        )


async def test_a_topic_that_is_not_as_planned_is_reported(apart: World) -> None:
    # given
    await _make_anew(apart.bootstrap, partitions=1)
    # when
    async with apart.worker():
        report = await apart.until(apart.report, lambda report: report["topics"])
    # then
    (finding,) = report["topics"]
    assert finding.startswith(f"topic {CHILD_EVENTS.name} has 1 partitions, expected 12; ")
    assert "retention.ms is 604800000, expected -1" in finding


async def test_a_topic_deleted_and_made_anew_with_one_partition_leaves_nobody_late(
    apart: World, tmp_path: Path
) -> None:
    apart.environment["TEDDY_WORKER_STALL_SECONDS"] = str(STALL_SECONDS)
    children = [await apart.happenings.a_registered_child() for _ in range(12)]
    # given a worker under load, supervised
    async with _supervised(apart, tmp_path / "worker.log"):
        await apart.until(lambda: _are_at(apart, children, 1))
        # when
        await _make_anew(apart.bootstrap, partitions=1)
        async with AIOKafkaProducer(
            bootstrap_servers=apart.bootstrap, enable_idempotence=True
        ) as producer:
            happenings = apart.happenings.sent_by(producer)  # the other knows 12 partitions
            for child_id in children:
                await happenings.a_severe_violation(child_id)
        # then
        await apart.until(lambda: _are_at(apart, children, 2))


@asynccontextmanager
async def _supervised(world: World, log: Path) -> AsyncIterator[None]:
    """A worker, and another one whenever it ends."""

    async def supervise() -> None:
        while True:
            async with world.worker(log, ready=False) as worker:
                await worker.wait()

    supervising = asyncio.create_task(supervise())
    try:
        yield
    finally:
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)


async def _make_anew(bootstrap: str, partitions: int) -> None:
    """The topic of events is deleted and comes back with fewer partitions."""
    await apply_topics(bootstrap, 1)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([CHILD_EVENTS.name])
        await eventually(admin.list_topics, STARTED, lambda names: CHILD_EVENTS.name not in names)
        await admin.create_topics([NewTopic(CHILD_EVENTS.name, partitions, 1)])
    finally:
        await admin.close()


async def _are_at(world: World, children: Sequence[str], version: int) -> bool:
    return all([await world.is_at(child_id, version) for child_id in children])
