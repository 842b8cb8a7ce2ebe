"""CPU seconds by process, from the kernel's counters: the steadiest figure on a shared machine."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil


@dataclass(slots=True)
class Spent:
    """`seconds` of CPU by process; empty until the block has ended."""

    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, name: str, operations: int) -> float:
        """Microseconds an operation."""
        return self.seconds[name] / operations * 1e6

    def of_all(self, operations: int) -> float:
        """Microseconds an operation, of all processes."""
        return sum(self.seconds.values()) / operations * 1e6


@contextmanager
def spent_by(processes: Mapping[str, psutil.Process]) -> Iterator[Spent]:
    """What they spend during the block, user and system time."""
    spent = Spent()
    before = _seconds(processes.items())
    yield spent
    after = _seconds(processes.items())
    spent.seconds = {name: after[name] - before[name] for name in processes}


def _seconds(processes: Iterable[tuple[str, psutil.Process]]) -> dict[str, float]:
    return {name: sum(process.cpu_times()[:2]) for name, process in processes}
