"""The live worker: events a second of a backlog into all read models, beside a Faust agent that
folds the same records into one, and what an event costs the worker and MongoDB."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median

from tests.bench.other_tree import HERE
from tests.bench.projected import SETTINGS, frozen, insert, published, rate, versions_in
from tests.bench.results import Result
from tests.bench.system import CHILDREN, System, until
from tests.bench.world import World
from tests.support.ports import free_port


@dataclass(frozen=True, slots=True)
class Load:
    """`together`: events of a child in a row; `goal`: events a second."""

    name: str
    children: int
    together: int
    rounds: int
    goal: float


LOADS = (
    Load("100 children x 20", 100, 20, 15, 20_000),
    Load("each event another child's", 2_000, 1, 8, 8_000),
)


@dataclass(frozen=True, slots=True)
class Round:
    """`rate`, `by_agent`: events a second; `worker`, `mongod`: microseconds of CPU an event."""

    rate: float
    by_agent: float
    worker: float
    mongod: float


def measure(world: World, rounds: int) -> Sequence[Result]:
    return [result for load in LOADS for result in _results(world, load, rounds)]


def _results(world: World, load: Load, rounds: int) -> list[Result]:
    done = [_round(world, load) for _ in range(rounds)]
    name = f"one live worker, {load.name}"
    speed = median(one.rate for one in done)
    by_agent = median(one.by_agent for one in done)
    return [
        Result(name=f"events/s of {name}", value=speed, unit="events/s", goal=load.goal),
        Result(
            name=f"events/s of {name}, beside a Faust agent",
            value=speed,
            unit="events/s",
            baseline=by_agent,
        ),
        *(
            Result(name=f"CPU an event of {name}, {process}", value=value, unit="µs")
            for process, value in (
                ("worker", median(one.worker for one in done)),
                ("mongod", median(one.mongod for one in done)),
            )
        ),
    ]


def _round(world: World, load: Load) -> Round:
    """In a whole run on a stack of its own, so that the agent reads this load alone."""
    fresh = nullcontext(world.system) if world.quick else world.fresh_system(SETTINGS)
    with fresh as system:
        children = world.scaled(load.children, load.children // 10)
        together, times = load.together, world.scaled(load.rounds, 2)
        events = children * together * times
        with frozen(system, "worker"):
            before = published(system)
            ids = insert(system, children, together, times)
            until(lambda: published(system) >= before + events, "all events on the topic")
        with system.spent() as spent:
            speed = rate(versions_in(system, ("teddy_read", CHILDREN), ids), events)
        by_agent = _rate_of_agent(system, ids, events)
        return Round(speed, by_agent, spent.of("worker", events), spent.of("mongod", events))


def _rate_of_agent(system: System, ids: Sequence[str], events: int) -> float:
    group = f"agent-{free_port()}"
    command = [sys.executable, "-m", "tests.bench.baselines.faust_agent"]
    command += ["teddy.child.events.v1", group]
    process = subprocess.Popen(command, env={**os.environ, **system.environment}, cwd=HERE)
    try:
        return rate(versions_in(system, ("teddy_bench", group), ids), events)
    finally:
        process.terminate()
        process.wait()
