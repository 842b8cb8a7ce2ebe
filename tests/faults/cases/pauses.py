"""Processes that stand still: frozen, slow, and back when nobody waits for them any more."""

import asyncio
import os
import signal

from shared.fault_points import FaultPoint
from tests.faults.cases.case import Case
from tests.faults.world import World

PAST_THE_SESSION = 8.0
PAST_THE_LEASE = 5.0


async def _frozen_worker(world: World) -> int:
    """Another worker takes over; the frozen one wakes with a batch half done."""
    async with world.another("worker"):
        await world.strikes(FaultPoint.WORKER_AFTER_COMMIT, signal.SIGSTOP)
        await asyncio.sleep(PAST_THE_SESSION)
        _wake_all(world, "worker")
        await world.is_well("worker")
    return 1


async def _frozen_mid_transaction(world: World) -> int:
    async with world.another("worker"):
        await world.strikes(FaultPoint.WORKER_MID_TRANSACTION, signal.SIGSTOP)
        await asyncio.sleep(PAST_THE_SESSION)
        _wake_all(world, "worker")
        await world.is_well("worker")
    return 1


async def _frozen_leader(world: World) -> int:
    """Another relay leads; the former leader wakes with a batch that it read as leader."""
    async with world.another("relay"):
        await world.strikes(FaultPoint.RELAY_BEFORE_SEND, signal.SIGSTOP)
        await asyncio.sleep(PAST_THE_LEASE)
        _wake_all(world, "relay")
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


def _wake_all(world: World, name: str) -> None:
    """Whichever of the two got there: the stack's own process is woken by its pid, the harness's
    own when its block ends."""
    os.kill(world.process(name).pid, signal.SIGCONT)


CASES = (
    Case(
        "worker-frozen-past-its-session",
        "SIGSTOP of a worker after its transaction, past its session; another worker beside",
        _frozen_worker,
        commands=1_500,
    ),
    Case(
        "worker-frozen-mid-transaction",
        "SIGSTOP of a worker within its transaction, past its session; another worker beside",
        _frozen_mid_transaction,
        commands=1_500,
    ),
    Case(
        "leader-frozen-past-its-lease",
        "SIGSTOP of the leading relay before it sends, past its lease; another relay beside",
        _frozen_leader,
        commands=1_200,
        quick=True,
    ),
    Case("consumer-slow", "SIGSTOP and SIGCONT of the worker, again and again", _slow_consumer),
)
