"""How the work of a function grows with its input.

What C code does within one call (a pattern, a normalisation) cannot be counted from Python, so the
thread's own CPU time is taken, and only its growth is judged: sixteen times the input may take
sixteen times the work, with a margin of four. Sixteen squared is far beyond it, on any machine.
"""

import gc
import time
from collections.abc import Callable

TIMES = 16
MARGIN = 4
LEAST_NANOSECONDS = 2_000_000
"""Below that a clock says nothing: the call is repeated."""

SAMPLES = 5


def growth(work: Callable[[int], object], small: int) -> float:
    """How many times more work `TIMES * small` is than `small`, per input: 1 is linear."""
    return _cost(work, TIMES * small) / _cost(work, small) / TIMES


def is_linear(work: Callable[[int], object], small: int) -> bool:
    return growth(work, small) <= MARGIN


def _cost(work: Callable[[int], object], size: int) -> float:
    """Nanoseconds of CPU of one call, the least of several."""
    gc.collect()
    return min(_once(work, size) for _ in range(SAMPLES))


def _once(work: Callable[[int], object], size: int) -> float:
    calls, spent = 0, 0
    while spent < LEAST_NANOSECONDS:
        began = time.thread_time_ns()
        work(size)
        spent += time.thread_time_ns() - began
        calls += 1
    return spent / calls
