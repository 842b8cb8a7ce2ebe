"""What one process answered lately: how many requests, how fast, and what it refused."""

import math
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import accumulate
from typing import NamedTuple

from fastapi import FastAPI

from shared.clock import Clock, iso, utc_now
from shared.http.request_figures import RefusedRequest, RequestFigures, SlowRequest

SLOT_SECONDS, SLOTS = 10, 30
"""The last five minutes are kept in slots; the oldest is dropped as a whole."""

MOST_SLOW = 20
MOST_REFUSALS = 50

FASTEST_SECONDS, SLOWEST_SECONDS, STEP = 0.000_1, 100.0, 1.05
STEPS = tuple(
    FASTEST_SECONDS * STEP**number
    for number in range(math.ceil(math.log(SLOWEST_SECONDS / FASTEST_SECONDS, STEP)) + 1)
)
"""Durations are counted by the first of these that is not shorter: the memory that they take is the
same for any number of requests."""


class _Slow(NamedTuple):
    """`seconds` that it took, `at` a monotonic moment."""

    seconds: float
    at: float
    status: int


class _Refused(NamedTuple):
    at: float
    operation: str | None
    status: int
    code: str
    role: str | None


class _Slot:
    """`durations`: numbers of answers by step, the last one of what took longer than any step.
    `slowest` by operation; `codes`: numbers of refusals by code."""

    __slots__ = ("codes", "durations", "number", "slowest")

    def __init__(self, number: int) -> None:
        self.number = number
        self.durations = [0] * (len(STEPS) + 1)
        self.slowest: dict[str, _Slow] = {}
        self.codes: dict[str, int] = {}


class RecentRequests:
    """What it takes in memory depends on the number of operations and codes, never on that of
    requests. It learns no path, id, parameter, body or subject."""

    def __init__(self, now: Callable[[], float] = time.monotonic, clock: Clock = utc_now) -> None:
        """`now`: seconds that never go back."""
        self.now = now
        self._clock = clock
        self._started = now()
        self._slots = deque([_Slot(int(self._started / SLOT_SECONDS))], SLOTS)
        self._refusals: deque[_Refused] = deque(maxlen=MOST_REFUSALS)

    def answered(self, operation: str | None, since: float, status: int) -> None:
        """`operation`: None where nobody knows; `since`: the moment, as `now` gives it, at which
        the request came."""
        now = self.now()
        slot, seconds = self._slot(now), now - since
        slot.durations[bisect_left(STEPS, seconds)] += 1
        _compare(slot, operation, seconds, now, status)

    def refused(
        self, operation: str | None, since: float, status: int, code: str, role: str | None
    ) -> None:
        """As `answered`. `code`: one of those that problems have."""
        now = self.now()
        slot = self._slot(now)
        slot.codes[code] = slot.codes.get(code, 0) + 1
        self._refusals.append(_Refused(now, operation, status, code, role))
        _compare(slot, operation, now - since, now, status)

    def _slot(self, now: float) -> _Slot:
        slot, number = self._slots[-1], int(now / SLOT_SECONDS)
        if slot.number != number:
            slot = _Slot(number)
            self._slots.append(slot)
        return slot

    def figures(self) -> RequestFigures:
        now, clock = self.now(), self._clock()
        first = int(now / SLOT_SECONDS) - SLOTS + 1
        slots = [slot for slot in self._slots if slot.number >= first]
        durations = [sum(counts) for counts in zip(*(s.durations for s in slots), strict=True)]
        codes = sum((Counter(slot.codes) for slot in slots), Counter[str]())
        seconds = max(1.0, now - max(self._started, first * SLOT_SECONDS))
        requests = sum(durations) + codes.total()

        def text(at: float) -> str:
            return iso(clock - timedelta(seconds=now - at))

        return RequestFigures(
            seconds=round(seconds, 1),
            requests=requests,
            requests_per_second=round(requests / seconds, 2),
            p50_milliseconds=within(durations, 0.5),
            p99_milliseconds=within(durations, 0.99),
            slowest=[
                SlowRequest(operation, round(1_000 * slow.seconds, 1), slow.status, text(slow.at))
                for operation, slow in _slowest(slots)[:MOST_SLOW]
            ],
            refused=codes.total(),
            refused_by_code=dict(codes.most_common()),
            refusals=[
                RefusedRequest(text(one.at), one.operation, one.status, one.code, one.role)
                for one in reversed(self._refusals)
            ],
        )


def _compare(slot: _Slot, operation: str | None, seconds: float, now: float, status: int) -> None:
    if operation is None:
        return
    known = slot.slowest.get(operation)
    if known is None or seconds > known.seconds:
        slot.slowest[operation] = _Slow(seconds, now, status)


def _slowest(slots: Sequence[_Slot]) -> list[tuple[str, _Slow]]:
    found: dict[str, _Slow] = {}
    for slot in slots:
        for operation, slow in slot.slowest.items():
            found[operation] = max(slow, found.get(operation, slow))
    return sorted(found.items(), key=lambda each: each[1], reverse=True)


def within(durations: Sequence[int], share: float) -> float | None:
    """Milliseconds within which this share of the durations, counted by step, is; by the nearest
    rank. None: there are none."""
    rank = math.ceil(share * sum(durations))
    if not rank:
        return None
    step = bisect_left(list(accumulate(durations)), rank)
    return round(1_000 * STEPS[min(step, len(STEPS) - 1)], 2)


def recent_requests_of(app: FastAPI) -> RecentRequests:
    """That of this process."""
    recent: RecentRequests = app.state.recent_requests
    return recent
