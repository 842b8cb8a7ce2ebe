"""Processes that stand still: frozen, slow, and back when nobody waits for them any more."""

import asyncio
import os
import signal
from functools import partial

from shared.fault_points import FaultPoint
from tests.faults.cases.case import Case
from tests.faults.world import INSTANCE, World
from tests.support.waiting import eventually

PAST_THE_SESSION = 8.0
AWAKE_SECONDS = 2.0


async def _frozen_worker(point: FaultPoint, world: World) -> int:
    """Another worker takes the frozen one's place under its name; then that one wakes with a batch
    half done, and takes its place back once it is started anew."""
    frozen = world.process("worker")
    await world.injects(point, signal.SIGSTOP)
    name = world.state.environment[INSTANCE]
    async with world.another("worker", **{INSTANCE: name}):
        await asyncio.sleep(PAST_THE_SESSION)
        os.kill(frozen.pid, signal.SIGCONT)
        await asyncio.sleep(AWAKE_SECONDS)
    await world.kill("worker")
    return 1


async def _frozen_beside(world: World) -> int:
    """Two workers share; first the one stands still past its session, then the other."""
    async with world.another("worker") as beside:
        await eventually(lambda: world.projects(beside), PAST_THE_SESSION)
        with world.frozen("worker"):
            await asyncio.sleep(PAST_THE_SESSION)
        await asyncio.sleep(AWAKE_SECONDS)
        beside.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(PAST_THE_SESSION)
        beside.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(AWAKE_SECONDS)
    await world.is_well("worker")
    return 2


async def _frozen_leader(world: World) -> int:
    """Another relay leads; the former leader wakes with a batch that it read as leader."""
    async with world.another("relay"):
        led = await world.fencing()
        await world.injects(FaultPoint.RELAY_BEFORE_SEND, signal.SIGSTOP)
        await world.led_anew(led)
        await asyncio.sleep(AWAKE_SECONDS)
        os.kill(world.process("relay").pid, signal.SIGCONT)
        await world.is_well("relay")
    return 1


async def _slow_consumer(world: World) -> int:
    """The worker stands still more often than not."""
    times = 8
    for _ in range(times):
        with world.frozen("worker"):
            await asyncio.sleep(world.chance.uniform(0.3, 0.9))
        await asyncio.sleep(world.chance.uniform(0.05, 0.2))
    return times


CASES = (
    Case(
        "worker-frozen-past-its-session",
        "SIGSTOP of a worker after its transaction, past its session; another worker beside",
        partial(_frozen_worker, FaultPoint.WORKER_AFTER_COMMIT),
        commands=750,
    ),
    Case(
        "worker-frozen-mid-transaction",
        "SIGSTOP of a worker within its transaction, past its session; another worker beside",
        partial(_frozen_worker, FaultPoint.WORKER_MID_TRANSACTION),
        commands=750,
    ),
    Case(
        "workers-frozen-in-turn",
        "two workers share; each is stopped past its session and wakes",
        _frozen_beside,
        commands=1_250,
    ),
    Case(
        "leader-frozen-past-its-lease",
        "SIGSTOP of the leading relay before it sends, past its lease; another relay beside",
        _frozen_leader,
        commands=600,
    ),
    Case("consumer-slow", "SIGSTOP and SIGCONT of the worker, again and again", _slow_consumer),
)
