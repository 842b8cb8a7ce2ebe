"""`teddy load`: all kinds of commands, 64 callers, each answer compared with the expected one."""

import re
import subprocess
import sys
from collections.abc import Sequence
from statistics import median

from tests.bench.load_generator import Broken
from tests.bench.other_tree import HERE
from tests.bench.results import Result
from tests.bench.system import System
from tests.bench.world import World

RATE = re.compile(r"commands per second\W+([\d,]+)")
LATENCY = re.compile(r"latency p50, p99\W+([\d.]+) ms, ([\d.]+) ms")
CALLERS, CHILD_OF = 64, 10
"""A registration for so many commands."""


def measure(world: World, rounds: int) -> Sequence[Result]:
    commands, callers = world.scaled(6_000, 60), world.scaled(CALLERS, 4)
    done, cpu = [], []
    for seed in range(rounds):
        with world.system.spent() as spent:
            done.append(_loaded(world.system, seed, commands, callers))
        cpu.append(spent.of_all(commands + commands // CHILD_OF))
    return [
        Result(
            name="mixed load, 64 callers",
            value=median(rate for rate, _, _ in done),
            unit="commands/s",
            goal=2_000,
        ),
        Result(name="mixed load, p50", value=median(p50 for _, p50, _ in done), unit="ms"),
        Result(name="mixed load, p99", value=median(p99 for _, _, p99 in done), unit="ms"),
        Result(
            name="CPU a command of the mixed load, until the answer", value=median(cpu), unit="µs"
        ),
    ]


def _loaded(system: System, seed: int, commands: int, callers: int) -> tuple[float, float, float]:
    """Commands a second with the registrations, milliseconds of latency at p50 and p99."""
    command = [sys.executable, "-m", "deploy.cli", "--dir", str(system.stack.folder), "load"]
    numbers = ["--commands", commands, "--registrations", commands // CHILD_OF]
    options = [*numbers, "--concurrency", callers, "--seed", seed]
    ran = subprocess.run(
        [*command, *map(str, options)], cwd=HERE, capture_output=True, text=True, check=False
    )
    rate, latency = RATE.search(ran.stdout), LATENCY.search(ran.stdout)
    if ran.returncode or rate is None or latency is None:
        raise Broken(f"teddy load: {ran.stdout[-800:]}{ran.stderr[-400:]}")
    p50, p99 = map(float, latency.groups())
    return float(rate[1].replace(",", "")), p50, p99
