"""One bear wanted by many at once, through two command APIs whose clocks disagree."""

import asyncio

import httpx2

from shared.clock import new_id
from tests.faults.cases.case import Case
from tests.faults.cases.overtakes import CLOCK_OFF
from tests.faults.world import World
from tests.support.consents import CONSENTS

BEARS = 20
WANTED_BY = 6
PASSING_SECONDS = 0.2


class BearShared(Exception):
    """A bear came to more than one child, or to none."""


async def _one_bear_one_child(world: World) -> int:
    """The second API's clock is an hour ahead: for it, every fresh claim looks like an old one."""
    ahead = {"PYTHONPATH": str(CLOCK_OFF), "TEDDY_TEST_CLOCK_OFF_SECONDS": "3600"}
    here = world.state.environment["TEDDY_COMMAND_URL"]
    async with world.another("command", **ahead) as there:
        for _ in range(BEARS):
            udid = f"udid-{new_id()}"
            wishes = [_register(world, udid, (here, there.url)[n % 2]) for n in range(WANTED_BY)]
            answers = sorted(await asyncio.gather(*wishes))
            if answers != [201, *[409] * (WANTED_BY - 1)]:
                raise BearShared(f"{WANTED_BY} parents wanted one bear and were told {answers}")
    return BEARS * WANTED_BY


async def _register(world: World, udid: str, url: str) -> int:
    """The status in the end: what passes is asked again with the same key."""
    async with world.as_parent(f"parent-{new_id()}", url) as http:
        bear = {"udid": udid, "device_id": f"bear-of-{udid}"}
        body = {"name": "Mia", "age": 6, **bear, "consents": CONSENTS}
        headers = {"Idempotency-Key": f"key-{new_id()}"}
        while True:
            answer = await http.post("/v1/children", json=body, headers=headers)
            if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE:
                return answer.status_code
            await asyncio.sleep(PASSING_SECONDS)


CASES = (
    Case(
        "one-bear-many-parents",
        f"{WANTED_BY} parents at once want the same bear, through two APIs an hour apart",
        _one_bear_one_child,
    ),
)
