"""Rate limits with a clock that a test moves."""

from limits import parse

from shared.auth.access import RateClass
from shared.http.limits import MemoryCounters, RateLimits

PLENTY = "1000000/minute"


class Moments:
    """Seconds; an hour begins at 0."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def limits_of(moments: Moments | None = None, **limits: str) -> RateLimits:
    """As `limits` says by class, e.g. `commands="2/minute"`; plenty of the rest."""
    clock = moments or Moments()
    policies = {rate: parse(limits.get(rate.value, PLENTY)) for rate in RateClass}
    return RateLimits(policies, MemoryCounters(clock), clock, b"secret")
