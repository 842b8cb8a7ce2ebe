"""More processes than needed: they share, take over and never do anything twice."""

import asyncio
from functools import partial
from pathlib import Path

from tests.faults.cases.case import Case
from tests.faults.world import World
from tests.support.waiting import eventually

CLOCK_OFF = Path(__file__).parent.parent / "clock_off"
REBALANCES = 4
TAKE_OVER_SECONDS = 30.0


async def _two_relays(world: World) -> int:
    """Whoever of both leads is killed, twice."""
    async with world.another("relay") as other:
        for _ in range(2):
            led = await world.fencing()
            if await world.leading_relay(other) == other.url:
                other.process.kill()
            else:
                await world.kill("relay")
            await world.led_anew(led)
    return 2


async def _rebalance_storm(world: World) -> int:
    for _ in range(REBALANCES):
        async with world.another("worker"):
            await asyncio.sleep(world.chance.uniform(0.2, 1.0))
    return REBALANCES


async def _clocks_off(seconds: int, world: World) -> int:
    """A relay and a worker whose clocks are wrong take over from those whose clocks are right."""
    variables = {"PYTHONPATH": str(CLOCK_OFF), "TEDDY_TEST_CLOCK_OFF_SECONDS": str(seconds)}
    async with (
        world.another("relay", **variables) as relay,
        world.another("worker", **variables) as worker,
    ):
        await world.hand_over_the_lead(relay)
        await world.kill("worker")
        await eventually(lambda: world.projects(worker), TAKE_OVER_SECONDS)
    return 2


CASES = (
    Case("two-relays", "two relays, the leader killed twice", _two_relays),
    Case(
        "rebalance-storm",
        f"{REBALANCES} times a worker joins and leaves",
        _rebalance_storm,
        commands=750,
    ),
    *(
        Case(
            f"clock-an-hour-{where}",
            f"a relay and a worker an hour {where} take over",
            partial(_clocks_off, seconds),
            commands=1_500,
        )
        for where, seconds in (("ahead", 3_600), ("behind", -3_600))
    ),
)
