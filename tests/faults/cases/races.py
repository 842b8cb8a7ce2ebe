"""The same thing wanted many times at once, and an erasure that overtakes its events."""

import asyncio

from shared.clock import new_id
from tests.faults.cases.case import Case
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
    told = {(a.status_code, a.text) for a in answers if a.status_code != 503}
    if len(told) != 1:
        raise AnswersDiffer(f"{AT_ONCE} requests with one key got {told}")
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


CASES = (
    Case("one-key-50-times", "one idempotency key 50 times at once", _one_key),
    Case("erased-in-flight", "an erasure while the child's events wait", _erased_in_flight),
)
