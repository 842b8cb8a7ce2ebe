"""Whole processes end: killed anywhere, or asked to with SIGTERM, under load."""

from functools import partial

from tests.faults.cases.case import Case
from tests.faults.world import World


async def _terminated(name: str, world: World) -> int:
    await world.end(name)
    return 1


async def _killed(name: str, world: World) -> int:
    await world.kill(name)
    return 1


CASES = (
    *(
        Case(
            f"{name}-terminated",
            f"SIGTERM of the {name} under load",
            partial(_terminated, name),
        )
        for name in ("command", "relay", "worker", "query")
    ),
    Case("query-killed", "SIGKILL of the query API", partial(_killed, "query")),
)
