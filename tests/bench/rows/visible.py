"""From the answer to a command until the read models show it, at 100 and at 500 commands a second,
and where on its way an event waits."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import uvloop
from pymongo import AsyncMongoClient

from tests.bench import hops
from tests.bench.hops import Moments
from tests.bench.load_generator import Broken
from tests.bench.people import Bear, talking_bears, versions
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.system import CHILDREN, System
from tests.bench.world import World

RATES, BEARS = (100, 500), 100
WITH_GOALS = 500
MESSAGES = 10
"""Of each bear, at the rate of one message a second of each."""

SHOWN = (50, 75, 90, 95, 99)
SHOW_SECONDS = 30.0
LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class Pace:
    """`first`: by `time.perf_counter`; `every` so many seconds."""

    messages: int
    first: float
    every: float


@dataclass(frozen=True, slots=True)
class Waited:
    """In seconds: of each command, from its answer until it is visible, below 0 where it was so
    before; and the median of each hop."""

    waits: Sequence[float]
    hops: Mapping[str, float]

    def percentile(self, percent: int) -> float:
        return quantiles(self.waits, n=100)[percent - 1]


def measure(world: World, rounds: int) -> Sequence[Result]:
    found = {rate: [_round(world, rate) for _ in range(rounds)] for rate in RATES}
    percentiles = {rate: _percentiles(done) for rate, done in found.items()}
    world.plots.append(
        Plot(
            title="From acknowledged to visible, by percentile",
            x=[f"p{percent}" for percent in SHOWN],
            y="milliseconds",
            lines={
                f"{rate} commands a second": [round(shown[percent], 1) for percent in SHOWN]
                for rate, shown in percentiles.items()
            },
        )
    )
    return [
        result
        for rate, done in found.items()
        for result in (*_in_all(rate, percentiles[rate]), *_by_hop(rate, done))
    ]


def _percentiles(done: Sequence[Waited]) -> Mapping[int, float]:
    """Milliseconds, the median of the rounds."""
    return {percent: median(one.percentile(percent) for one in done) * 1_000 for percent in SHOWN}


def _in_all(rate: int, percentiles: Mapping[int, float]) -> Iterator[Result]:
    name = f"acknowledged to visible at {rate} commands/s"
    goals = {50: 30, 99: 150}
    for percent, goal in goals.items():
        yield Result(
            name=f"{name}, p{percent}",
            value=percentiles[percent],
            unit="ms",
            goal=goal if rate == WITH_GOALS else None,
            at_most=True,
            signed=True,
        )


def _by_hop(rate: int, done: Sequence[Waited]) -> Iterator[Result]:
    for hop in done[0].hops:
        wait = median(one.hops[hop] for one in done)
        name = f"{hop} at {rate} commands/s, p50"
        yield Result(name=name, value=wait * 1_000, unit="ms", signed=True)


def _round(world: World, rate: int) -> Waited:
    bears = talking_bears(world.system, BEARS)
    world.system.until_projected(versions(bears))
    each = world.scaled(MESSAGES * rate // BEARS, 5)
    return uvloop.run(_waited(world.system, bears, each, BEARS / rate))


async def _waited(system: System, bears: Sequence[Bear], each: int, every: float) -> Waited:
    """`each` bear sends so many messages, one `every` so many seconds."""
    acknowledged: Moments = {}
    shown: Moments = {}
    expected = len(bears) * each
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        system.environment["TEDDY_READ_MONGO_URL"]
    )
    children = client["teddy_read"][CHILDREN]
    kafka = system.environment["TEDDY_KAFKA_BOOTSTRAP"]
    async with (
        client,
        hops.watched(kafka) as records,
        await children.watch(_VERSIONS, max_await_time_ms=50) as changes,
    ):
        last = {bear.child_id: bear.version + each for bear in bears}
        watching = asyncio.create_task(_watch(changes, shown, last))
        async with asyncio.TaskGroup() as group:
            for number, bear in enumerate(bears):
                due = time.perf_counter() + every * number / len(bears)
                group.create_task(_talk(system, bear, Pace(each, due, every), acknowledged))
        with suppress(TimeoutError):
            await asyncio.wait_for(watching, SHOW_SECONDS)
    waits = _matched(acknowledged, shown)
    if len(waits) < expected:
        raise Broken(f"{len(waits)} of {expected} commands became visible")
    return Waited(waits, records.waits(shown))


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
    """A version is visible with the first one shown that is as new."""
    waits: list[float] = []
    by_child: dict[str, list[tuple[int, float]]] = {}
    for (child, version), at in sorted(shown.items()):
        by_child.setdefault(child, []).append((version, at))
    for (child, version), answered in acknowledged.items():
        seen = [at for reached, at in by_child.get(child, []) if reached >= version]
        if seen:
            waits.append(seen[0] - answered)
    return waits


async def _talk(system: System, bear: Bear, pace: Pace, acknowledged: Moments) -> None:
    """Late only when the message before is not answered yet."""
    reader, writer = await asyncio.open_connection(*system.stack.address("command"))
    for number in range(pace.messages):
        due = pace.first + number * pace.every
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(bear.message())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        at = head.index(LENGTH) + len(LENGTH)
        await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        if head[9:10] != b"2":
            raise Broken(f"a message was answered {head[9:12]!r}")
        acknowledged[bear.child_id, bear.version] = time.perf_counter()
    writer.close()
    await writer.wait_closed()
