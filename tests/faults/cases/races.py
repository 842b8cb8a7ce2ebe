"""One key or one bear wanted many times at once, the bear through two APIs whose clocks disagree;
and an erasure that overtakes its events."""

import asyncio

import httpx2

from shared.clock import new_id
from tests.faults.cases.case import Case
from tests.faults.cases.overtakes import CLOCK_OFF
from tests.faults.world import World
from tests.support.consents import CONSENTS
from tests.support.waiting import until

AT_ONCE = 50


class AnswersDiffer(Exception):
    """One key got two answers."""


async def _one_key(world: World) -> int:
    """One registration, 50 times at once under one key: one child, one answer."""
    parent = f"parent-{new_id()}"
    async with world.as_parent(parent) as http:
        body = {"name": "Mia", "age": 6, "udid": f"udid-{new_id()}", "consents": CONSENTS}
        headers = {"Idempotency-Key": f"key-{new_id()}"}
        answers = await asyncio.gather(
            *(http.post("/v1/children", json=body, headers=headers) for _ in range(AT_ONCE))
        )
    reported = {(a.status_code, a.text) for a in answers if a.status_code != 503}
    if len(reported) != 1:
        raise AnswersDiffer(f"{AT_ONCE} requests with one key got {reported}")
    return AT_ONCE


async def _erased_in_flight(world: World) -> int:
    """A child is erased while its events still wait for a frozen worker."""
    await until(lambda: bool(world.parents), 10.0)
    parent = f"parent-{new_id()}"
    async with world.as_parent(parent) as http:
        body = {"name": "Mia", "age": 6, "udid": new_id(), "consents": CONSENTS}
        child = (await http.post("/v1/children", json=body)).raise_for_status().json()
        path = f"/v1/children/{child['child_id']}"
        with world.frozen("worker"):
            for age in range(4, 12):
                (await http.patch(f"{path}/profile", json={"age": age})).raise_for_status()
            (await http.delete(f"{path}/personal-data")).raise_for_status()
        refused = await http.patch(f"{path}/profile", json={"age": 5})
    if refused.status_code != 410:
        raise AnswersDiffer(f"after the erasure {refused.status_code} instead of 410")
    return 1


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
    Case("one-key-50-times", "one idempotency key 50 times at once", _one_key),
    Case("erased-in-flight", "an erasure while the child's events wait", _erased_in_flight),
    Case(
        "one-bear-many-parents",
        f"{WANTED_BY} parents at once want the same bear, through two APIs an hour apart",
        _one_bear_one_child,
    ),
)
