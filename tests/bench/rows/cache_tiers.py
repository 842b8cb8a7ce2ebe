"""One, two and four query processes, each with a cache of its own, beside as many that share their
answers as well: how many reads hit, what a read costs, how long it takes.

Readers choose children as people do, few of them often (Zipf). Between the slices of the reads the
most wanted children change, and their answers are dropped everywhere."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from statistics import median

import httpx2
import psutil

from deploy.local.plans import CACHE_STORAGE
from query_service.cache.journal import DOUBT_SECONDS
from tests.bench.cpu import spent_by
from tests.bench.people import Bear, talking_bears, versions
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.system import System, until
from tests.bench.world import World
from tests.support.ports import free_port
from tests.support.raw_http import request

SERVER = {"TEDDY_LOCAL_CACHE_SERVER": "true"}
APART = {CACHE_STORAGE: "memory://"}
SEED = 36
SLICES = 6
CHANGED = 0.02
"""Of the children, between two slices."""

CALLERS = 4
PROCESSES = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Measured:
    """`hits`: of the reads, 0 to 1. `cpu`: microseconds a read, of the query processes, MongoDB and
    the shared tier's server. `p50`, `p99`: milliseconds, of the worst slice's process."""

    hits: float
    cpu: float
    p50: float
    p99: float


Found = dict[tuple[int, bool], list[Measured]]
"""By number of processes, and whether they share."""


def measure(world: World, rounds: int) -> Sequence[Result]:
    found: Found = {}
    with world.fresh_system(SERVER) as system:
        bears = talking_bears(system, world.scaled(300, 20))
        system.until_projected(versions(bears))
        for turn in range(rounds):
            for number in PROCESSES[: world.scaled(len(PROCESSES), 1)]:
                for shares in (turn % 2 == 0, turn % 2 != 0):  # in turns: whoever begins is colder
                    one = _turn(world, system, bears, number, shares)
                    found.setdefault((number, shares), []).append(one)
    middle = {key: _middle(each) for key, each in found.items()}
    world.plots.append(_plot(middle))
    return _results(middle)


def _turn(
    world: World, system: System, bears: Sequence[Bear], number: int, shares: bool
) -> Measured:
    chance = random.Random(SEED)
    reads, answered, hits = world.scaled(2_400, 120), 0, 0
    times: list[tuple[float, float]] = []
    with _query_processes(system, number, {} if shares else APART, quick=world.quick) as processes:
        watched = {f"query {port}": process for port, process in processes.items()}
        watched |= {name: system.processes[name] for name in ("mongod", "valkey")}
        cpu = 0.0
        for _ in range(world.scaled(SLICES, 1)):
            with spent_by(watched) as spent:
                for port in processes:
                    sent = _reads(chance, bears, reads // SLICES // number)
                    driven = world.generator.drive(("127.0.0.1", port), sent, CALLERS)
                    answered, hits = answered + driven.answered, hits + driven.hits
                    times.append((driven.milliseconds(50), driven.milliseconds(99)))
            cpu += sum(spent.seconds.values())
            _change(system, chance, bears)
    p50, p99 = (median(each) for each in zip(*times, strict=True))
    return Measured(hits / answered, cpu / answered * 1e6, p50, p99)


def _reads(chance: random.Random, bears: Sequence[Bear], number: int) -> list[bytes]:
    """Profiles, safety reports and conversations, by the children's parents."""
    pages = ("", "/safety-report", "/conversations")
    return [
        request("GET", f"/v1/children/{bear.child_id}{chance.choice(pages)}", bear.parent_s_bearer)
        for bear in _wanted(chance, bears, number)
    ]


def _change(system: System, chance: random.Random, bears: Sequence[Bear]) -> None:
    """Each is projected, and every process received the notice, once this returns."""
    changed = {
        bear.child_id: bear for bear in _wanted(chance, bears, max(1, int(len(bears) * CHANGED)))
    }
    system.drive("command", [bear.message() for bear in changed.values()], CALLERS)
    system.until_projected(versions(list(changed.values())))
    time.sleep(0.5)


def _wanted(chance: random.Random, bears: Sequence[Bear], number: int) -> list[Bear]:
    weights = list(accumulate(1 / rank for rank in range(1, len(bears) + 1)))
    return chance.choices(bears, cum_weights=weights, k=number)


@contextmanager
def _query_processes(
    system: System, number: int, settings: Mapping[str, str], *, quick: bool
) -> Iterator[dict[int, psutil.Process]]:
    """By port; they trust each other's answers once this is entered, unless it is `quick`."""
    with ExitStack() as stack:
        ports = [free_port() for _ in range(number)]
        started = {port: stack.enter_context(_process(system, port, settings)) for port in ports}
        for port in ports:
            until(partial(_is_ready, port), f"query process {port}")
        time.sleep(0 if quick else DOUBT_SECONDS + 1)
        yield {port: psutil.Process(process.pid) for port, process in started.items()}


@contextmanager
def _process(
    system: System, port: int, settings: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, **system.environment, **settings}
    environment["TEDDY_QUERY_PORT"] = str(port)
    command = [sys.executable, "-m", "query_service"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        report = httpx2.get(f"http://127.0.0.1:{port}/health/ready").json()
    except httpx2.TransportError:
        return False
    return bool(report["status"] == "ready" and "degraded" not in report)


def _middle(each: Sequence[Measured]) -> Measured:
    return Measured(
        median(one.hits for one in each),
        median(one.cpu for one in each),
        median(one.p50 for one in each),
        median(one.p99 for one in each),
    )


def _results(found: Mapping[tuple[int, bool], Measured]) -> list[Result]:
    results = []
    for number in sorted({number for number, _ in found}):
        apart, shared = found[number, False], found[number, True]
        of = f"query processes: {number}, shared tier, "
        for what, unit, most in (
            ("hits", "of reads", False),
            ("cpu", "µs", True),
            ("p50", "ms", True),
            ("p99", "ms", True),
        ):
            value, baseline = getattr(shared, what), getattr(apart, what)
            results.append(
                Result(name=of + what, value=value, unit=unit, baseline=baseline, at_most=most)
            )
    return results


def _plot(found: Mapping[tuple[int, bool], Measured]) -> Plot:
    numbers = sorted({number for number, _ in found})

    def of(shares: bool) -> list[float]:
        return [round(found[number, shares].cpu) for number in numbers]

    return Plot(
        title="CPU of a read, by number of query processes",
        x=[str(number) for number in numbers],
        y="microseconds",
        lines={"each its own cache": of(False), "with the shared tier": of(True)},
    )
