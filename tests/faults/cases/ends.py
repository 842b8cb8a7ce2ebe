"""Processes that end: killed at each step of a fact's way or anywhere, or asked to with SIGTERM."""

from functools import partial

from shared.fault_points import FaultPoint
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild, life_goes_on
from tests.faults.world import World

TIMES = 2


async def _killed_there(point: FaultPoint, world: World) -> int:
    """A supervisor waits longer each time, until the load is over: something has to happen."""
    async with life_goes_on(await OwnChild.registered(world)):
        for _ in range(TIMES):
            await world.injects(point)
    return TIMES


def _case(point: FaultPoint, where: str) -> Case:
    process, _, step = point.partition("-")
    injects = f"SIGKILL of the {process}: {where}"
    return Case(f"{process}-killed-{step}", injects, partial(_killed_there, point))


async def _terminated(name: str, world: World) -> int:
    await world.end(name)
    return 1


async def killed(name: str, world: World) -> int:
    await world.kill(name)
    return 1


CASES = (
    _case(FaultPoint.COMMAND_BEFORE_APPEND, "decided, not yet in the store"),
    _case(FaultPoint.COMMAND_AFTER_APPEND, "durable, not yet acknowledged"),
    _case(FaultPoint.COMMAND_BEFORE_REPLY, "decided and stored, not yet answered"),
    _case(FaultPoint.RELAY_BEFORE_SEND, "read, not yet sent"),
    _case(FaultPoint.RELAY_AFTER_ACK, "acknowledged by the broker, not recorded"),
    _case(FaultPoint.RELAY_BEFORE_TOKEN_SAVE, "before it saves its resume token"),
    _case(FaultPoint.WORKER_MID_TRANSACTION, "some of a batch's documents written"),
    _case(FaultPoint.WORKER_AFTER_COMMIT, "written, nobody notified"),
    _case(FaultPoint.WORKER_BEFORE_OFFSETS, "written and notified, offsets not committed"),
    *(
        Case(f"{name}-terminated", f"SIGTERM of the {name} under load", partial(_terminated, name))
        for name in ("command", "relay", "worker", "query")
    ),
    Case("query-killed", "SIGKILL of the query API", partial(killed, "query")),
)
