"""From the counters that a process has anyway to the figures that it reports."""

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from prometheus_client import CollectorRegistry

from shared.process_reports.documents import EVERY_SECONDS, Figure, Measured

WINDOW_SECONDS = 60
"""What a rate and the percentiles are about: the time just before."""

Buckets = Mapping[float, float]
"""How many took no longer than so many seconds, by these."""


def total_of(registry: CollectorRegistry, counter: str) -> float:
    """Over all labels. `counter`: with its suffix, as `teddy_commands_total`."""
    metrics = registry.restricted_registry([counter]).collect()
    return sum(sample.value for metric in metrics for sample in metric.samples)


def buckets_of(registry: CollectorRegistry, histogram: str) -> Buckets:
    """Over all labels."""
    found: dict[float, float] = defaultdict(float)
    for metric in registry.restricted_registry([f"{histogram}_bucket"]).collect():
        for sample in metric.samples:
            found[float(sample.labels["le"])] += sample.value
    return found


def upper_bound(before: Buckets, after: Buckets, share: float) -> float | None:
    """No more than so many seconds took `share` of what was counted between the two: the bound of
    a bucket, and so rather too much than too little. The largest bound also where it took longer;
    None where nothing was counted."""
    counted = {bound: count - before.get(bound, 0) for bound, count in sorted(after.items())}
    total = counted.get(math.inf, 0)
    if total <= 0:
        return None
    enough = next(bound for bound, count in counted.items() if count >= share * total)
    finite = [bound for bound in counted if bound < math.inf]
    return min(enough, finite[-1]) if finite else None


@dataclass(frozen=True, slots=True)
class _Counted:
    at: float
    done: float
    seconds: Buckets


def _nothing() -> Mapping[str, float]:
    return {}


@dataclass(slots=True)
class Measures:
    """Measures a process each time that it is called. `done`: how many commands or events so far;
    None while doing them is another's turn. `seconds`: what they took. `others`: figures that need
    no counting. `now`: monotonic."""

    done: Callable[[], float | None]
    seconds: Callable[[], Buckets] = dict
    others: Callable[[], Mapping[str, float]] = _nothing
    partitions: Callable[[], Mapping[int, int]] = dict
    now: Callable[[], float] = time.monotonic
    _counted: deque[_Counted] = field(
        default_factory=lambda: deque(maxlen=round(WINDOW_SECONDS / EVERY_SECONDS) + 1), init=False
    )

    def __call__(self) -> Measured:
        done = self.done()
        if done is None:
            self._counted.clear()
        else:
            self._counted.append(_Counted(self.now(), done, self.seconds()))
        return Measured({**self._rates(), **self.others()}, self.partitions())

    def _rates(self) -> dict[str, float]:
        """Nothing of a process that was counted once only."""
        if len(self._counted) < 2:
            return {}
        first, last = self._counted[0], self._counted[-1]
        # a counter that fell began anew
        done = sum(max(0.0, after.done - before.done) for before, after in pairwise(self._counted))
        figures: dict[str, float] = {Figure.RATE: round(done / (last.at - first.at), 3)}
        for name, share in ((Figure.P50, 0.5), (Figure.P99, 0.99)):
            bound = upper_bound(first.seconds, last.seconds, share)
            if bound is not None:
                figures[name] = bound
        return figures
