"""A server that cannot write any more."""

import resource

import psutil

from tests.faults.cases.case import Case
from tests.faults.world import World


async def _full(world: World) -> int:
    """No file of MongoDB may grow by a byte: it stops, as on a full disk, and goes on from its
    journal once there is room."""
    before = world.process("mongod")
    psutil.Process(before.pid).rlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    await world.is_back(before)
    return 1


CASES = (Case("disk-full", "MongoDB can no longer write to files", _full),)
