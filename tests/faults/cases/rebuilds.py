"""A rebuild beside everything else, killed at each of its steps and resumed."""

import asyncio
from functools import partial

from shared.clock import new_id
from shared.fault_points import FaultPoint, arm
from shared.read_models.generations import read_catalog
from tests.faults.cases.case import Case
from tests.faults.world import World
from tests.support.commands import teddy_process
from tests.support.consents import CONSENTS
from tests.support.waiting import eventually

RUN_SECONDS = 60.0


class NotRebuilt(Exception):
    """The rebuild did not end as it should."""


async def _killed_and_resumed(point: FaultPoint, world: World) -> int:
    arm(world.fault_folder, point)
    first = world.starts_teddy("replay", "rebuild")
    code = await asyncio.wait_for(asyncio.to_thread(first.wait), RUN_SECONDS)
    if code == 0 or (world.fault_folder / point).exists():
        raise NotRebuilt(f"no fault occurred at {point}: exit code {code}")
    if point is not FaultPoint.REBUILD_AFTER_FLIP:  # then there is nothing left to do
        resumed = await teddy_process(world.folder, "replay", "rebuild", "--resume")
        if resumed.code != 0:
            raise NotRebuilt(resumed.err)
    await _drop_old(world)
    return 1


async def _erased_meanwhile(world: World) -> int:
    """The load erases children, too; here one more for sure, in the middle of a slow rebuild."""
    async with world.as_parent(f"parent-{new_id()}") as http:
        body = {"name": "Mia", "age": 6, "udid": new_id(), "consents": CONSENTS}
        child = (await http.post("/v1/children", json=body)).raise_for_status().json()
        # slow enough to be met on its way, also when the cases before left many events
        rate = max(400, await world.on.commits["commits"].estimated_document_count() // 20)
        rebuild = world.starts_teddy("replay", "rebuild", "--rate", str(rate))
        catalog = partial(read_catalog, world.on.database)
        await eventually(catalog, RUN_SECONDS, lambda now: now.unfinished is not None)
        path = f"/v1/children/{child['child_id']}/personal-data"
        (await http.delete(path)).raise_for_status()
    code = await asyncio.wait_for(asyncio.to_thread(rebuild.wait), RUN_SECONDS)
    if code != 0:
        raise NotRebuilt(f"exit code {code}; see teddy.log")
    await _drop_old(world)
    return 1


async def _drop_old(world: World) -> None:
    """So that the next case begins with one generation; its lease may still run."""
    for _ in range(30):
        done = await teddy_process(world.folder, "replay", "drop-old")
        if done.code == 0:
            return
        await asyncio.sleep(0.5)
    raise NotRebuilt(done.err)


def _case(point: FaultPoint, where: str) -> Case:
    return Case(
        f"rebuild-killed-{point.removeprefix('rebuild-')}",
        f"SIGKILL of a rebuild: {where}; resumed",
        partial(_killed_and_resumed, point),
        commands=750,
    )


CASES = (
    _case(FaultPoint.REBUILD_MID_TRANSACTION, "within a transaction"),
    _case(FaultPoint.REBUILD_AFTER_SLICE, "a slice built"),
    _case(FaultPoint.REBUILD_BEFORE_FLIP, "verified, not live"),
    _case(FaultPoint.REBUILD_AFTER_FLIP, "live, nobody notified"),
    Case("erased-during-a-rebuild", "an erasure while a rebuild works", _erased_meanwhile),
)
