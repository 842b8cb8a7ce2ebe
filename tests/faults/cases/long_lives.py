"""One child with a very long life among others: its history is read while processes die."""

import asyncio
from functools import partial
from itertools import islice

import httpx2

from shared.clock import new_id, utc_now
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild
from tests.faults.history import PASSING
from tests.faults.world import World
from tests.support.histories import history, insert_history
from tests.support.waiting import eventually

EVENTS = 30_000
"""A bear that was loved for nearly two years, or broken for a day."""

ANSWERED_SECONDS = 60.0
PROJECTED_SECONDS = 300.0


class HeldUp(Exception):
    """A child with a short life was refused for another's long one."""


async def _killed_while_reading(world: World) -> int:
    """The command process is killed while it reads the history, which no snapshot shortens, and the
    worker while it projects it. A neighbour is served all along."""
    long, neighbour = await _a_long_life(world), await OwnChild.registered(world)
    for _ in range(2):
        note: dict[str, object] = {"preferences": {"note": new_id()}}
        await _asks_and_is_killed(long, "PATCH", "/profile", note, new_id())
        await _is_served(neighbour)
        await world.kill("worker")
    await _is_done(long, "PATCH", "/profile", {"preferences": {"note": new_id()}})
    await _is_done(long, "PATCH", "/profile", {"preferences": {"note": new_id()}})
    await long.is_projected(PROJECTED_SECONDS)
    return 4


async def _erased(world: World) -> int:
    """It is asked for, the command process is killed, and it is asked for again."""
    long, neighbour = await _a_long_life(world), await OwnChild.registered(world)
    key = new_id()
    await _asks_and_is_killed(long, "DELETE", "/personal-data", None, key)
    await world.kill("worker")
    await _is_done(long, "DELETE", "/personal-data", None, key)
    await _is_served(neighbour)
    await long.is_projected(PROJECTED_SECONDS)
    return 2


async def _a_long_life(world: World) -> OwnChild:
    """Made straight through the store: nobody has folded it, and there is no snapshot."""
    child = await OwnChild.registered(world)
    on = world.on
    last = await on.store.last(child.child_id)
    assert last is not None
    happened = islice(history(child.child_id, EVENTS, utc_now()), 1, None)
    position = await insert_history(
        on.commits, on.keyring, child.child_id, happened, after=last.position
    )
    child.version = position.version
    return child


async def _asks(
    child: OwnChild, method: str, rest: str, body: dict[str, object] | None, key: str
) -> bool:
    """Once; whether it was accepted. Raises for a refusal that does not pass."""
    async with child.world.as_parent(child.parent) as http:
        try:
            path, headers = f"/v1/children/{child.child_id}{rest}", {"Idempotency-Key": key}
            answer = await http.request(method, path, json=body, headers=headers)
        except httpx2.TransportError:
            return False
    if answer.status_code in PASSING:
        return False
    child.version = answer.raise_for_status().json()["version"]
    return True


async def _asks_and_is_killed(
    child: OwnChild, method: str, rest: str, body: dict[str, object] | None, key: str
) -> None:
    """The command process, within half a second of the request: anywhere on its way."""
    asking = asyncio.create_task(_asks(child, method, rest, body, key))
    await asyncio.sleep(child.world.chance.random() / 2)
    await child.world.kill("command")
    await asking


async def _is_done(
    child: OwnChild, method: str, rest: str, body: dict[str, object] | None, key: str | None = None
) -> None:
    await eventually(partial(_asks, child, method, rest, body, key or new_id()), ANSWERED_SECONDS)


async def _is_served(neighbour: OwnChild) -> None:
    """At the first try."""
    note: dict[str, object] = {"preferences": {"note": new_id()}}
    if not await _asks(neighbour, "PATCH", "/profile", note, new_id()):
        raise HeldUp(f"{neighbour.child_id} was not served at once")


CASES = (
    Case(
        "long-life-read",
        f"SIGKILL of the command and the worker while they read a child of {EVENTS:,} events",
        _killed_while_reading,
    ),
    Case(
        "long-life-erased",
        f"SIGKILL of the command and the worker while a child of {EVENTS:,} events is erased",
        _erased,
    ),
)
