"""The way between a process and MongoDB: cut, gone silent, slow."""

import asyncio
import time
from contextlib import AsyncExitStack

import httpx2

from shared.clock import new_id
from tests.faults.cases.case import Case
from tests.faults.load import more_load
from tests.faults.world import World
from tests.support.consents import CONSENTS
from tests.support.processes import is_ready
from tests.support.waiting import eventually

PROMISED_SECONDS = 2.0
DISTURBED_SECONDS = 3.0
LATE_SECONDS = 0.1
BURST = 20
COMMANDS, RATE = 300, 60.0


class NotAsPromised(Exception):
    """An answer came too late, or was another one than promised."""


async def _cut(world: World) -> int:
    """A command API and a worker lose the store: the API says so in time, nobody has to be
    restarted."""
    async with AsyncExitStack() as stack:
        proxy, settings = await stack.enter_async_context(world.way_to_the_store())
        api = await stack.enter_async_context(world.another("command", **settings))
        worker = await stack.enter_async_context(world.another("worker", **settings))
        await stack.enter_async_context(more_load(world, api.url, COMMANDS, RATE))
        await asyncio.sleep(1.0)
        ended = proxy.cut()
        await _says_so_in_time(world, api.url)
        await asyncio.sleep(DISTURBED_SECONDS)
        await proxy.start()
        await eventually(lambda: is_ready(api.url), 30.0)
        await eventually(lambda: is_ready(worker.url), 30.0)
        if (api.process.returncode, worker.process.returncode) != (None, None):
            raise NotAsPromised("a process that lost the store has ended")
    return ended


async def _silent(world: World) -> int:
    """Connections that carry nothing any more are given up."""
    async with (
        world.way_to_the_store() as (proxy, settings),
        world.another("command", **settings) as api,
        more_load(world, api.url, COMMANDS, RATE),
    ):
        await asyncio.sleep(1.0)
        silenced = proxy.silence()
        await asyncio.sleep(DISTURBED_SECONDS)
    return silenced


async def _slow(world: World) -> int:
    """A command API and a worker hear everything late and fall behind no more than that."""
    async with (
        world.way_to_the_store() as (proxy, settings),
        world.another("command", **settings) as api,
        world.another("worker", **settings),
    ):
        proxy.delay_seconds = LATE_SECONDS
        async with more_load(world, api.url, COMMANDS // 3, RATE):
            await asyncio.sleep(DISTURBED_SECONDS)
    return 1


async def _leader_cut_off(world: World) -> int:
    """A leading relay that cannot reach the store gives up before another one leads."""
    async with (
        world.way_to_the_store() as (proxy, settings),
        world.another("relay", **settings) as relay,
    ):
        await world.hand_over_the_lead(relay)
        led = await world.fencing()
        proxy.cut()
        await world.led_anew(led)
        await proxy.start()
        await asyncio.sleep(1.0)
    return 2


async def _says_so_in_time(world: World, url: str) -> None:
    """Commands to `url` are answered 503, when to come again, inside the promised time."""
    async with world.as_parent(f"parent-{new_id()}", url) as http:

        async def register() -> tuple[httpx2.Response, float]:
            begun = time.monotonic()
            body = {"name": "Mia", "age": 6, "udid": f"udid-{new_id()}", "consents": CONSENTS}
            headers = {"Idempotency-Key": f"key-{new_id()}"}
            answer = await http.post("/v1/children", json=body, headers=headers)
            return answer, time.monotonic() - begun

        for answer, seconds in await asyncio.gather(*(register() for _ in range(BURST))):
            if answer.status_code != 503 or "Retry-After" not in answer.headers:
                raise NotAsPromised(f"{answer.status_code} {answer.text} instead of 503")
            if seconds > PROMISED_SECONDS:
                raise NotAsPromised(f"503 after {seconds:.1f} s")


CASES = (
    Case(
        "store-unreachable",
        "a command API and a worker lose every connection to MongoDB and cannot reconnect",
        _cut,
    ),
    Case("store-silent", "a command API's connections to MongoDB hang", _silent),
    Case(
        "store-slow",
        f"every answer of MongoDB comes {LATE_SECONDS * 1_000:.0f} ms late to an API and a worker",
        _slow,
    ),
    Case(
        "leader-cut-off",
        "the leading relay is cut off from MongoDB past its lease; another relay beside",
        _leader_cut_off,
    ),
)
