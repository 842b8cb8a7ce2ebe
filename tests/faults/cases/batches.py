"""SIGKILL of the command API while bears send what they stored, in batches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import httpx2

from shared.fault_points import FaultPoint
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild
from tests.faults.history import BATCH
from tests.faults.world import World
from tests.support.batches import a_talk
from tests.support.waiting import eventually

TIMES = 2
MESSAGES = 250
EXECUTED_SECONDS = 60.0


@asynccontextmanager
async def _batches_go_on(child: OwnChild) -> AsyncIterator[None]:
    """One behind the other as long as the block, each sent until all of it is executed."""
    is_over = asyncio.Event()
    going = asyncio.create_task(_send_batches(child, is_over))
    try:
        yield
    finally:
        is_over.set()
        await going


async def _send_batches(child: OwnChild, is_over: asyncio.Event) -> None:
    async with child.world.history.client(
        base_url=child.world.state.environment["TEDDY_COMMAND_URL"],
        headers={"Authorization": f"Bearer {child.bear}"},
    ) as http:
        while not is_over.is_set():
            commands = a_talk(child.child_id, MESSAGES)
            await eventually(partial(_is_executed, http, commands), EXECUTED_SECONDS)


async def _is_executed(http: httpx2.AsyncClient, commands: list[dict[str, Any]]) -> bool:
    with suppress(httpx2.TransportError):
        sent = await http.post(BATCH, json={"commands": commands})
        if sent.is_success:
            return all("answer" in result for result in sent.json()["results"])
    return False


async def _killed_there(point: FaultPoint, world: World) -> int:
    async with _batches_go_on(await OwnChild.registered(world)):
        for _ in range(TIMES):
            await world.injects(point)
    return TIMES


def _case(point: FaultPoint, where: str) -> Case:
    step = point.partition("-")[2]
    injects = f"SIGKILL of the command: a batch {where}"
    killed = partial(_killed_there, point)
    return Case(f"batch-killed-{step}", injects, killed, commands=120, rate=20.0)


CASES = (
    _case(FaultPoint.COMMAND_BEFORE_APPEND, "decided, not yet in the store"),
    _case(FaultPoint.COMMAND_AFTER_APPEND, "durable, not yet acknowledged"),
    _case(FaultPoint.COMMAND_BEFORE_REPLY, "stored in part or whole, not yet answered"),
)
