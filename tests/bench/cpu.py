"""CPU seconds by process, from the kernel's counters: the steadiest figure on a shared machine."""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

CPUCLOCK_SCHED = 2
"""Of a process with all its threads, in nanoseconds: linux/include/linux/posix-timers_types.h."""


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
    """What they spend during the block, user and system time. Raises OSError for one that ended."""
    spent = Spent()
    before = {name: _seconds(process) for name, process in processes.items()}
    yield spent
    spent.seconds = {name: _seconds(processes[name]) - before[name] for name in processes}


def _seconds(process: psutil.Process) -> float:
    if platform.system() == "Linux":  # psutil's figures are in hundredths of a second
        return time.clock_gettime((~process.pid << 3) | CPUCLOCK_SCHED)
    return float(sum(process.cpu_times()[:2]))
