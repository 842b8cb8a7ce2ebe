"""A rebuild of all read models with a process for each core, beside the live worker on the same
events."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median

from shared.read_models.generations import POINTER_COLLECTION, POINTER_ID
from tests.bench.load_generator import Broken
from tests.bench.other_tree import HERE
from tests.bench.projected import SETTINGS, frozen, insert, published, rate, versions_in
from tests.bench.results import Result
from tests.bench.system import System, until
from tests.bench.world import World

TOGETHER, TIMES = 20, 1
GOAL = 2.0


@dataclass(frozen=True, slots=True)
class Round:
    """Events a second."""

    live: float
    rebuilt: float


def measure(world: World, rounds: int) -> Sequence[Result]:
    done = [_round(world) for _ in range(rounds)]
    return [
        Result(
            name=f"events/s of a rebuild with {_cores()} processes, beside the live worker",
            value=median(one.rebuilt for one in done),
            unit="events/s",
            baseline=median(one.live for one in done),
            goal=GOAL,
        )
    ]


def _cores() -> int:
    return os.cpu_count() or 1


def _round(world: World) -> Round:
    fresh = nullcontext(world.system) if world.quick else world.fresh_system(SETTINGS)
    with fresh as system:
        children = world.scaled(2_000, 20)
        events = children * TOGETHER * TIMES
        with frozen(system, "worker"):
            before = published(system)
            ids = insert(system, children, TOGETHER, TIMES)
            until(lambda: published(system) >= before + events, "all events on the topic")
        live = rate(versions_in(system, ("teddy_read", _children(system)), ids), events)
        return Round(live, _rebuilt(system, ids, events))


def _children(system: System) -> str:
    """Of the live generation."""
    pointer = system.mongo["teddy_read"][POINTER_COLLECTION].find_one({"_id": POINTER_ID})
    return f"children__g{1 if pointer is None else pointer['generation']}"


def _rebuilt(system: System, ids: Sequence[str], events: int) -> float:
    """From the first to the last child in the new generation: without the start of processes."""
    number = int(_children(system).rpartition("g")[2]) + 1
    command = [sys.executable, "-m", "deploy.cli", "replay", "rebuild", "--workers", str(_cores())]
    process = subprocess.Popen(
        command,
        env={**os.environ, **system.environment},
        cwd=HERE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    speed = rate(versions_in(system, ("teddy_read", f"children__g{number}"), ids), events)
    _, said = process.communicate()
    if process.returncode != 0:
        raise Broken(f"the rebuild ended with {process.returncode}: {said.decode()[-300:]}")
    return speed
