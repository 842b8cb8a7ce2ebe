"""Prints what a scenario does, checks the outcome, and times each step."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from shared.client import Observation
from shared.command_line import Table


class ScenarioFailed(Exception):
    """The system did not do what the scenario expects."""


@dataclass(frozen=True, slots=True)
class Step:
    """`cache`: what the cache said to the step's queries, e.g. `1 miss, 2 hits`."""

    scenario: str
    text: str
    seconds: float
    cache: str


def expect(condition: bool, message: str) -> None:
    """Raises ScenarioFailed with `message` unless `condition` holds."""
    if not condition:
        raise ScenarioFailed(message)


class Story:
    """Prints steps as they happen and remembers how long each took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scenario = ""
        self.steps: list[Step] = []
        self.last: Observation | None = None
        self._cache: Counter[bool] = Counter()

    def observe(self, observation: Observation) -> None:
        """Remember the newest exchange, and whether the cache answered it."""
        self.last = observation
        if observation.cached is not None:
            self._cache[observation.cached] += 1

    @property
    def last_was_cached(self) -> bool:
        return self.last is not None and self.last.cached is True

    def title(self, number: int | None, text: str) -> None:
        self._scenario = text
        numbered = text if number is None else f"{number}. {text}"
        self._console.print()
        self._console.rule(f"[bold]{numbered}", align="left")

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """One step: what is done, how long it took, what the cache said."""
        self._cache.clear()
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        cache = _in_words(hits=self._cache[True], misses=self._cache[False])
        self.steps.append(Step(self._scenario, text, seconds, cache))
        took = f"{seconds * 1_000:.1f} ms" + (f", cache {cache}" if cache else "")
        self._console.print(f"  [green]✓[/] {text} [dim]{took}[/]")

    def show(self, text: str) -> None:
        """A result of the step."""
        self._console.print(f"    {text}", highlight=False)

    def summary(self) -> None:
        table = Table("scenario", "step", "ms", "cache", title="Duration of each step")
        previous = ""
        for step in self.steps:
            if previous and step.scenario != previous:
                table.end_section()
            name = "" if step.scenario == previous else step.scenario
            table.add(name, step.text, f"{step.seconds * 1_000:.1f}", step.cache)
            previous = step.scenario
        self._console.print()
        table.print()


def _in_words(hits: int, misses: int) -> str:
    """`hit` and `miss` alone when there was one query; numbers when there were more."""
    if hits + misses == 1:
        return "hit" if hits else "miss"
    counted = ((misses, "miss", "misses"), (hits, "hit", "hits"))
    return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in counted if n)
