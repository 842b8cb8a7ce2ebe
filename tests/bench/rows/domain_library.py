"""What users of the library `eventsourcing` have for the same decisions, on SQLite, in process."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil

from tests.bench.baselines.domain_library import children
from tests.bench.cpu import spent_by
from tests.bench.results import Result
from tests.bench.world import World

NAME = "the library eventsourcing on SQLite, in process: "


def measure(world: World, rounds: int) -> Sequence[Result]:
    number = world.scaled(2_000, 20)
    done = [_round(number) for _ in range(rounds)]
    return [
        Result(
            name=f"{NAME}{what}",
            value=median(one[which] for one in done),
            unit=unit,
        )
        for which, what, unit in (
            (0, "register", "events/s"),
            (1, "record a message", "events/s"),
            (2, "CPU to register", "µs"),
            (3, "CPU to record a message", "µs"),
        )
    ]


def _round(number: int) -> tuple[float, float, float, float]:
    with TemporaryDirectory(prefix="teddy-bench-") as path:
        app = children(Path(path) / "events.sqlite")
        ids = []
        register = _measured(lambda n: ids.append(app.register(n)), number)
        for child in ids[:100]:
            app.start(child, "talk")
        record = _measured(lambda n: app.record(ids[:100][n % len(ids[:100])], "talk"), number)
        app.close()
    return register[0], record[0], register[1], record[1]


def _measured(command: Callable[[int], None], number: int) -> tuple[float, float]:
    """A second; microseconds of CPU each."""
    with spent_by({"self": psutil.Process(os.getpid())}) as spent:
        began = time.perf_counter()
        for n in range(number):
            command(n)
        seconds = time.perf_counter() - began
    return number / seconds, spent.of_all(number)
