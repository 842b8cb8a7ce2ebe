"""The projector's consumer group on real brokers: who dies is replaced, who comes back is known."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from deploy.local.plans import free_port
from deploy.local.state import StackFolder, StackState
from projection_worker.projections import registry
from projection_worker.settings import WorkerSettings
from shared.kafka import CHILD_EVENTS
from tests.apache_kafka.cluster import KafkaCluster
from tests.apache_kafka.conftest import Measured
from tests.apache_kafka.load import load_on
from tests.apache_kafka.proof import nothing_is_lost
from tests.support.processes import process_of
from tests.support.waiting import eventually, until

GROUP = f"{WorkerSettings.model_fields['worker_group'].default}-p{registry.VERSION}"
ALL_PARTITIONS = CHILD_EVENTS.partitions


async def partitions_by_worker(bootstrap: str) -> dict[str, int]:
    """How many partitions each member has, by its lasting name. Raises KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([GROUP])
    finally:
        await admin.close()
    ((_, _, _, _, _, members, *_),) = answer.groups
    return {
        member_id.rpartition("-worker")[0]: _count(reported) for member_id, *_, reported in members
    }


def _count(assignment: bytes) -> int:
    if not assignment:  # it has joined, and waits for its share
        return 0
    return len(ConsumerProtocolMemberAssignment.decode(assignment).partitions())


FIRST, SECOND = "local", "second"
HANDED_OVER_SECONDS = 60.0


async def test_the_partitions_of_a_killed_worker_are_taken_over(
    cluster: KafkaCluster, running: StackState, measured: Measured
) -> None:
    # given two workers with a share each
    shared = {FIRST: ALL_PARTITIONS // 2, SECOND: ALL_PARTITIONS // 2}
    async with _another_worker(running) as worker, load_on(running) as load:
        await _until_shares_are(cluster, shared)
        # when
        killed = time.monotonic()
        worker.kill()
        await _until_shares_are(cluster, {FIRST: ALL_PARTITIONS})
        taken_over = time.monotonic()
        await load.goes_on()
    # then
    counted = await nothing_is_lost(running, load, taken_over)
    measured(f"{counted}; taken over after {taken_over - killed:.1f} s")


async def test_a_worker_restarted_under_its_name_has_its_partitions_back(
    cluster: KafkaCluster, services: StackFolder, running: StackState, measured: Measured
) -> None:
    (worker,) = [process for process in running.processes if process.name == "worker"]
    async with load_on(running) as load:
        # when
        killed = time.monotonic()
        os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: _restarts_of_worker(services) > worker.restarts, 10)
        await load.goes_on()
    # then
    counted = await nothing_is_lost(running, load, killed)
    assert await partitions_by_worker(cluster.bootstrap) == {FIRST: ALL_PARTITIONS}
    measured(counted)


@asynccontextmanager
async def _another_worker(state: StackState) -> AsyncIterator[asyncio.subprocess.Process]:
    """Beside the stack's own; nobody starts it again."""
    own = {
        "TEDDY_WORKER_PORT": str(free_port(None)),
        "TEDDY_WORKER_INSTANCE_ID": f"{SECOND}-worker",
    }
    environment = {**state.environment, **own}
    async with process_of("projection_worker", environment, asyncio.subprocess.DEVNULL) as worker:
        yield worker


async def _until_shares_are(cluster: KafkaCluster, shares: Mapping[str, int]) -> None:
    await eventually(
        lambda: partitions_by_worker(cluster.bootstrap),
        HANDED_OVER_SECONDS,
        lambda found: found == shares,
        passing=(KafkaError,),  # the group's coordinator is being found
    )


def _restarts_of_worker(services: StackFolder) -> int:
    state = services.load()
    assert state is not None
    return next(process.restarts for process in state.processes if process.name == "worker")
