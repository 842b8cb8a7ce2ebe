"""One row of the table: how the system answers while one server is unavailable."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass

import httpx2

from tests.outage.world import SERVICES, OutageWorld
from tests.support.waiting import STARTED, eventually

WAYS = ("refuses", "hangs")
SAME_FOR = 6
"""Looks with the same outcome before it is believed: caches run out, and limits of time."""

SETTLED_SECONDS = 120.0
LONGEST_SECONDS = 3.0
"""Two seconds are promised; the rest is for a test machine that is busy."""

COLUMNS = (
    "Unavailable",
    "A registration",
    "A safety report",
    "A cached answer",
    "An answer that is not cached",
    *(f"`/health/ready` of {service}" for service in SERVICES),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """Each field is a cell."""

    registration: str
    report: str
    kept: str
    never_asked: str
    command: str
    relay: str
    worker: str
    query: str


async def row_of(world: OutageWorld, server: str) -> str:
    """The row of `server`, which refuses connections, then hangs, and comes back each time."""
    seen = []
    for way in WAYS:
        await world.profile(world.kept)
        async with _unavailable(world, server, way):
            seen.append(await _settled(world))
        await eventually(world.is_well, STARTED)
    cells = [
        refused if refused == hung else f"refused: {refused}; hung: {hung}"
        for refused, hung in zip(*map(astuple, seen), strict=True)
    ]
    return "| " + " | ".join([server, *cells]) + " |"


@asynccontextmanager
async def _unavailable(world: OutageWorld, name: str, way: str) -> AsyncIterator[None]:
    server = world.servers[name]
    if way == "hangs":
        with server.frozen():
            yield
        return
    await server.stop()  # in order: what it confirmed is not at stake here
    try:
        yield
    finally:
        await server.start()


async def _settled(world: OutageWorld) -> Seen:
    """What is seen once it stays the same."""
    async with asyncio.timeout(SETTLED_SECONDS):
        seen, times = await _look(world), 1
        while times < SAME_FOR:
            now = await _look(world)
            seen, times = now, times + 1 if now == seen else 1
    return seen


async def _look(world: OutageWorld) -> Seen:
    answers, health, _ = await asyncio.gather(
        asyncio.gather(
            world.register(),
            world.report(),
            world.profile(world.kept),
            world.profile(world.never_asked.pop()),
        ),
        asyncio.gather(*(_health(world, service) for service in SERVICES)),
        asyncio.sleep(1.0),  # no more than one look a second
    )
    return Seen(*map(_outcome, answers), *health)


def _outcome(answer: httpx2.Response) -> str:
    """Its status, the code of a refusal, and what it says of its freshness."""
    assert answer.elapsed.total_seconds() < LONGEST_SECONDS, answer.url
    if not answer.is_success:
        assert answer.headers["Retry-After"], "who is refused is to know when to come again"
        return f"{answer.status_code} `{answer.json()['code']}`"
    detail = re.search("detail=[a-z-]+", answer.headers.get("Cache-Status", ""))
    return f"{answer.status_code} `{detail[0]}`" if detail else str(answer.status_code)


async def _health(world: OutageWorld, service: str) -> str:
    report = await world.report_of(service)
    down = ", ".join(sorted(n for n, state in report["dependencies"].items() if state == "down"))
    if report["status"] != "ready":
        return f"**not ready**, {down or 'findings'}"
    return f"ready without {down}" if down else "ready"
