"""What every row works with: a local stack with all protections, baselines beside it, a load
generator. Everything that was started is stopped with the world."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import psutil

from tests.bench.cpu import Spent, spent_by
from tests.bench.load_generator import Broken, Driven, LoadGenerator
from tests.bench.other_tree import HERE, Stack, stack_of
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.system import System, until
from tests.support.ports import free_port, listens

BROKER = "Apache Kafka"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A process that answers HTTP beside the stack."""

    address: tuple[str, int]
    process: psutil.Process
    generator: LoadGenerator

    def drive(self, requests: Sequence[bytes], connections: int) -> tuple[Driven, Spent]:
        """What was measured, and the CPU of `baseline`."""
        with spent_by({"baseline": self.process}) as spent:
            driven = self.generator.drive(self.address, requests, connections)
        return driven, spent


@dataclass
class World:
    """`quick`: counts so small that figures say nothing, only that they can be measured. `size`: of
    rows that seed children. `plots`: what rows add for docs/performance.md."""

    generator: LoadGenerator
    quick: bool
    size: int = 100_000
    plots: list[Plot] = field(default_factory=list)
    _open: ExitStack = field(default_factory=ExitStack)
    _baselines: dict[tuple[str, ...], Baseline] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def scaled(self, whole: int, quick: int) -> int:
        """A count: of a whole run, or of one that only looks whether it works."""
        return quick if self.quick else whole

    @cached_property
    def system(self) -> System:
        """The stack that rows share; started when the first row asks."""
        return self._open.enter_context(self.fresh_system())

    @contextmanager
    def fresh_system(
        self, settings: Mapping[str, str] | None = None, seeded: int = 0
    ) -> Iterator[System]:
        """A stack of a row's own, for one that needs other settings, an empty store, or one with
        children that were `seeded`. Meanwhile the shared one idles beside it: its processes cost
        some per cent of a core."""
        with ExitStack() as open_:
            path = open_.enter_context(TemporaryDirectory(prefix="teddy-bench-"))
            if seeded:
                _seed(path, seeded)
            stack = open_.enter_context(stack_of(HERE, Path(path), settings))
            if not self.quick:
                _require_apache_kafka(stack)
            system = System(stack, self.generator)
            try:
                yield system
            finally:
                system.mongo.close()

    def baseline(self, module: str, *arguments: str) -> Baseline:
        """`python -m tests.bench.baselines.MODULE PORT ARGUMENTS`, with the settings of the shared
        stack in its environment; started once, runs until the world ends."""
        key = (module, *arguments)
        if key not in self._baselines:
            self._baselines[key] = self._open.enter_context(self._running(module, arguments))
        return self._baselines[key]

    @contextmanager
    def _running(self, module: str, arguments: Sequence[str]) -> Iterator[Baseline]:
        port = free_port()
        environment = {**os.environ, **self.system.environment}
        command = [sys.executable, "-m", f"tests.bench.baselines.{module}", str(port), *arguments]
        process = subprocess.Popen(command, env=environment, cwd=HERE)
        try:
            until(lambda: listens(("127.0.0.1", port)), f"{module} listens")
            yield Baseline(("127.0.0.1", port), psutil.Process(process.pid), self.generator)
        finally:
            process.terminate()
            process.wait()


def _seed(path: str, children: int) -> None:
    """The stores of the local stack in `path`, which does not run. Raises Broken."""
    teddy = [sys.executable, "-m", "deploy.cli", "--dir", path]
    try:
        for command in (
            ["up", "--servers-only"],
            ["seed", "--children", str(children), "--no-verify"],
        ):
            ran = subprocess.run([*teddy, *command], cwd=HERE, capture_output=True, check=False)
            if ran.returncode:
                raise Broken(f"teddy {command[0]}: {ran.stderr.decode()[-500:]}")
    finally:
        subprocess.run([*teddy, "down"], cwd=HERE, capture_output=True, check=True)


def _require_apache_kafka(stack: Stack) -> None:
    if BROKER not in stack.state.broker:
        raise Broken(f"the broker is {stack.state.broker or 'an own one'}, not {BROKER}")


def checked(results: Sequence[Result]) -> Sequence[Result]:
    """Raises Broken when there are none, or one of them measured nothing."""
    if not results:
        raise Broken("a row without results")
    for one in results:
        measured = one.value > 0 or (one.signed and math.isfinite(one.value))
        if not measured or (one.baseline is not None and not one.baseline > 0):
            raise Broken(f"{one.name}: {one.value} {one.unit}, baseline {one.baseline}")
    return results
