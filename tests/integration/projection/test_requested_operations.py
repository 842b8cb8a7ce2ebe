"""Requests that worker processes carry out, and that die in the middle of it."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.clock import new_id, utc_now
from shared.fault_points import VARIABLE, FaultPoint, arm
from shared.lease import COLLECTION as LEASES
from shared.operations import (
    MongoOperationRequests,
    OperationKind,
    OperationRequest,
    OperationState,
    ensure_operation_indexes,
)
from shared.read_models.generations import live_generation
from shared.read_models.heartbeats import Heartbeats
from shared.read_models.operation_states import OperationStanding, newest_operations
from tests.support.worker_process import World


class Operated:
    """`faults`: a folder of fault points that the worker processes look into."""

    def __init__(self, world: World, faults: Path) -> None:
        self.world = world
        self.faults = faults
        self.requests = MongoOperationRequests(world.database)
        world.environment[VARIABLE] = str(faults)

    async def ask(self, kind: OperationKind) -> str:
        request = OperationRequest(new_id(), kind, "admin-1", utc_now())
        assert await self.requests.take(request) is None
        return request.id

    async def ended(self, operation_id: str) -> OperationStanding:
        found = await self.world.until(
            lambda: newest_operations(self.world.database, 20),
            lambda shown: any(
                one.operation_id == operation_id and one.ended_at is not None for one in shown
            ),
        )
        return next(one for one in found if one.operation_id == operation_id)

    async def live(self) -> int:
        return (await live_generation(self.world.database)).number


@pytest_asyncio.fixture
async def operated(world: World, tmp_path: Path) -> AsyncIterator[Operated]:
    await ensure_operation_indexes(world.database)
    faults = tmp_path / "faults"
    faults.mkdir()
    yield Operated(world, faults)


@pytest.mark.parametrize(
    ("point", "attempts"),
    [(FaultPoint.REBUILD_BEFORE_FLIP, 2), (FaultPoint.REBUILD_AFTER_FLIP, 2)],
)
async def test_a_rebuild_whose_worker_is_killed_is_ended_by_the_next_one(
    operated: Operated, point: FaultPoint, attempts: int
) -> None:
    world = operated.world
    child_id = await world.happenings.a_registered_child()
    async with world.worker() as first:
        await world.until(lambda: world.is_at(child_id, 1))
        # when
        arm(operated.faults, point)
        operation_id = await operated.ask(OperationKind.REBUILD)
        assert await first.wait() == -signal.SIGKILL
    async with world.worker():
        ended = await operated.ended(operation_id)
    # then there is one new generation, and not another one
    assert (ended.state, ended.outcome) == (OperationState.DONE, "generation 2 is live")
    assert await operated.live() == 2
    noted = await world.database["operations"].find_one({"_id": operation_id})
    assert noted is not None
    assert noted["attempts"] == attempts


async def test_a_rebuild_whose_folding_process_is_killed_goes_on(operated: Operated) -> None:
    world = operated.world
    child_id = await world.happenings.a_registered_child()
    async with world.worker() as worker:
        await world.until(lambda: world.is_at(child_id, 1))
        arm(operated.faults, FaultPoint.REBUILD_MID_TRANSACTION)
        ended = await operated.ended(await operated.ask(OperationKind.REBUILD))
        assert worker.returncode is None
    assert (ended.state, ended.outcome) == (OperationState.DONE, "generation 2 is live")
    assert (ended.done, ended.total) == (2, 2)
    assert list(operated.faults.iterdir()) == []


async def test_beside_a_rebuild_from_the_command_line_it_fails_and_says_so(
    operated: Operated,
) -> None:
    world = operated.world
    # given a rebuild that holds its lease
    lease = {"_id": "rebuild", "holder": "someone", "fencing": 1}
    await world.database[LEASES].insert_one({**lease, "expires_at": utc_now().replace(year=2099)})
    async with world.worker():
        ended = await operated.ended(await operated.ask(OperationKind.REBUILD))
    assert ended.state == OperationState.FAILED
    assert ended.outcome == "another rebuild is running; see `teddy replay status`"


async def test_a_rebuild_is_left_to_workers_of_newer_projections(operated: Operated) -> None:
    world = operated.world
    async with world.worker():
        await Heartbeats(world.database).beat("of-the-next-release", 1_000)
        rebuild = await operated.ask(OperationKind.REBUILD)
        await operated.ended(await operated.ask(OperationKind.REDRIVE_CHILDREN))
        shown = {one.operation_id: one.state for one in await newest_operations(world.database, 20)}
    assert shown[rebuild] == OperationState.REQUESTED


async def test_a_redrive_whose_worker_is_killed_is_done_by_the_next_one(
    operated: Operated,
) -> None:
    world = operated.world
    child_id = await world.happenings.a_registered_child()
    async with world.worker():
        await world.until(lambda: world.is_at(child_id, 1))
        await world.happenings.garbage(child_id)
        await world.until(world.report, lambda report: report["dead_lettered_children"] == 1)
    # given one that died when it had just begun
    operation_id = await operated.ask(OperationKind.REDRIVE_CHILDREN)
    async with world.worker(ready=False) as second:
        await world.until(
            lambda: newest_operations(world.database, 20),
            lambda shown: any(one.operation_id == operation_id for one in shown),
        )
        second.kill()
    async with world.worker():
        ended = await operated.ended(operation_id)
    assert ended.state == OperationState.DONE
