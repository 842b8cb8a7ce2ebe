"""How the work of a function grows with its input.

What C code does within one call (a pattern, a normalisation) cannot be counted from Python, so the
thread's own CPU time is taken, and only its growth is judged: sixteen times the input may take
sixteen times the work, with a margin of four. Sixteen squared is far beyond it, on any machine.
"""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

TIMES = 16
MARGIN = 4
LEAST_NANOSECONDS = 2_000_000
"""Below that a clock says nothing: the call is repeated."""

SAMPLES = 5


Work = Callable[[int], object]

OPEN = b"[" * 17


def nested_quotes(size: int) -> bytes:
    return OPEN + b'"' * size


TEXTS: dict[str, Callable[[int], bytes]] = {
    "nothing but quotes": nested_quotes,
    "quotes that are escaped": lambda size: OPEN + b'\\"' * (size // 2),
    "one text that never ends": lambda size: OPEN + b'"' + b"a" * size,
    "texts that end in a backslash": lambda size: OPEN + b'"' + b"\\" * size,
    "empty texts": lambda size: OPEN + b'"",' * (size // 3),
    "brackets": lambda size: b"[]," * (size // 3),
    "nothing but opening brackets": lambda size: b"[" * size,
    "a long number": lambda size: b"1" * min(size, 4_000),
    "spaces": lambda size: b" " * size,
    "many names": lambda size: b"{" + b",".join(b'"%d":1' % n for n in range(size // 8)) + b"}",
    "one name many times": lambda size: b"{" + b",".join([b'"a":1'] * (size // 6)) + b"}",
}


def quietly(refusal: type[Exception], read: Callable[[Any], object], given: Any) -> None:
    with contextlib.suppress(refusal):
        read(given)


def of_characters(check: Callable[[str], object], characters: str) -> Work:
    return lambda size: check(characters * (size // len(characters)))


def growth(work: Callable[[int], object], small: int) -> float:
    """How many times more work `TIMES * small` is than `small`, per input: 1 is linear."""
    return _cost(work, TIMES * small) / _cost(work, small) / TIMES


def is_linear(work: Callable[[int], object], small: int) -> bool:
    return growth(work, small) <= MARGIN


def _cost(work: Callable[[int], object], size: int) -> float:
    """Nanoseconds of CPU of one call, the least of several, without those of the collector: in a
    process that holds many tests it takes seconds, and they would be the work's."""
    with _no_collection():
        return min(_once(work, size) for _ in range(SAMPLES))


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _once(work: Callable[[int], object], size: int) -> float:
    calls, spent = 0, 0
    while spent < LEAST_NANOSECONDS:
        began = time.thread_time_ns()
        work(size)
        spent += time.thread_time_ns() - began
        calls += 1
    return spent / calls
