"""From the answer to a command until the read models show it, at 500 commands a second."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from statistics import median, quantiles
from typing import Any

import uvloop
from pymongo import AsyncMongoClient

from tests.bench.load_generator import Broken
from tests.bench.people import Bear, talking_bears, versions
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.system import CHILDREN, System
from tests.bench.world import World

RATE, BEARS = 500, 100
EVERY_SECONDS = BEARS / RATE
SHOWN = (50, 75, 90, 95, 99)
SHOW_SECONDS = 30.0
LENGTH = b"content-length: "

Moments = dict[tuple[str, int], float]
"""By child and version."""


def measure(world: World, rounds: int) -> Sequence[Result]:
    done = [_round(world) for _ in range(rounds)]
    percentiles = {
        percent: median(_percentile(one, percent) for one in done) * 1_000 for percent in SHOWN
    }
    world.plots.append(
        Plot(
            title=f"From acknowledged to visible at {RATE} commands a second",
            x=[f"p{percent}" for percent in SHOWN],
            y="milliseconds",
            lines={"wait": [round(value, 1) for value in percentiles.values()]},
        )
    )
    name = f"acknowledged to visible at {RATE} commands/s"
    return [
        Result(name=f"{name}, p50", value=percentiles[50], unit="ms", goal=30, at_most=True),
        Result(name=f"{name}, p99", value=percentiles[99], unit="ms", goal=150, at_most=True),
    ]


def _percentile(waits: Sequence[float], percent: int) -> float:
    return quantiles(waits, n=100)[percent - 1]


def _round(world: World) -> list[float]:
    bears = talking_bears(world.system, BEARS)
    world.system.until_projected(versions(bears))
    return uvloop.run(_waits(world.system, bears, world.scaled(50, 5)))


async def _waits(system: System, bears: Sequence[Bear], each: int) -> list[float]:
    """Seconds, of each command."""
    acknowledged: Moments = {}
    shown: Moments = {}
    expected = len(bears) * each
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        system.environment["TEDDY_READ_MONGO_URL"]
    )
    children = client["teddy_read"][CHILDREN]
    async with client, await children.watch(_VERSIONS, max_await_time_ms=50) as changes:
        last = {bear.child_id: bear.version + each for bear in bears}
        watching = asyncio.create_task(_watch(changes, shown, last))
        async with asyncio.TaskGroup() as group:
            for number, bear in enumerate(bears):
                delay = EVERY_SECONDS * number / len(bears)
                group.create_task(_talk(system, bear, each, delay, acknowledged))
        with suppress(TimeoutError):
            await asyncio.wait_for(watching, SHOW_SECONDS)
    waits = _matched(acknowledged, shown)
    if len(waits) < expected:
        raise Broken(f"{len(waits)} of {expected} commands became visible")
    return waits


_VERSIONS: list[dict[str, Any]] = [
    {"$match": {"operationType": {"$in": ["update", "replace", "insert"]}}},
    {
        "$project": {
            "documentKey": 1,
            "fullDocument.version": 1,
            "updateDescription.updatedFields.version": 1,
        }
    },
]


async def _watch(changes: Any, shown: Moments, last: dict[str, int]) -> None:
    """Until the `last` version of each child is there; takes those out that are."""
    async for change in changes:
        child = change["documentKey"]["_id"]
        after = change.get("fullDocument") or change["updateDescription"]["updatedFields"]
        shown[child, after["version"]] = time.perf_counter()
        if after["version"] >= last.get(child, after["version"] + 1):
            del last[child]
        if not last:
            return


def _matched(acknowledged: Moments, shown: Moments) -> list[float]:
    """A version is visible with the first one shown that is as new; what was shown before its
    command was answered waited for nothing."""
    waits: list[float] = []
    by_child: dict[str, list[tuple[int, float]]] = {}
    for (child, version), at in sorted(shown.items()):
        by_child.setdefault(child, []).append((version, at))
    for (child, version), answered in acknowledged.items():
        seen = [at for reached, at in by_child.get(child, []) if reached >= version]
        if seen:
            waits.append(max(0.0, seen[0] - answered))
    return waits


async def _talk(
    system: System, bear: Bear, messages: int, delay: float, acknowledged: Moments
) -> None:
    """A message every EVERY_SECONDS, late only when the one before is not answered yet."""
    reader, writer = await asyncio.open_connection(*system.stack.address("command"))
    due = time.perf_counter() + delay
    for _ in range(messages):
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        due += EVERY_SECONDS
        writer.write(bear.message())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        at = head.index(LENGTH) + len(LENGTH)
        await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        if head[9:10] != b"2":
            raise Broken(f"a message was answered {head[9:12]!r}")
        acknowledged[bear.child_id, bear.version] = time.perf_counter()
    writer.close()
    await writer.wait_closed()
