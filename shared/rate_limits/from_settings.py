"""The rate limits that the settings ask for."""

import time

from limits import parse

from shared.auth.access import RateClass
from shared.clock import unix_seconds
from shared.rate_limits.memory_counters import MemoryCounters
from shared.rate_limits.rate_limits import RateLimits
from shared.rate_limits.redis_counters import CountersWithFallback, redis_counters
from shared.settings import RATE_LIMITS_IN_MEMORY, RateLimitSettings


def rate_limits(settings: RateLimitSettings, secret: bytes) -> RateLimits:
    """`secret`: one that all processes have."""
    policies = {rate: parse(getattr(settings, f"rate_limit_{rate.value}")) for rate in RateClass}
    storage, own = settings.rate_limit_storage, MemoryCounters(time.monotonic)
    if storage == RATE_LIMITS_IN_MEMORY:
        return RateLimits(policies, own, unix_seconds, secret)
    shared = CountersWithFallback(redis_counters(storage), own, time.monotonic)
    return RateLimits(policies, shared, unix_seconds, secret, {"rate_limit_storage": shared.check})
