"""What one caller may have: rates of a subject, counted in memory or by all processes in Redis, and
shares of what an API takes on at a time."""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import cache, lru_cache
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.auth.access import Principal, RateClass
from shared.clock import unix_seconds
from shared.http.settings import RATE_LIMITS_IN_MEMORY, RateLimitSettings
from shared.tasks import time_limit

Who = TypeVar("Who", bound=Hashable)


class Shares(Generic[Who]):
    """Counts what each caller has, and lets none have more than its part of `total` (at least 1).

    Who has nothing is not known here: what is kept is bounded by what is under way.
    """

    def __init__(self, total: int, share: float) -> None:
        self._most = max(1, int(total * share)) if share < 1 else math.inf
        self._taken: dict[Who, int] = {}

    def is_full(self, who: Who) -> bool:
        return self._taken.get(who, 0) >= self._most

    def take(self, who: Who) -> bool:
        """False, and nothing is taken, when the caller has its part already."""
        taken = self._taken.get(who, 0)
        if taken >= self._most:
            return False
        self._taken[who] = taken + 1
        return True

    def give_back(self, who: Who) -> None:
        left = self._taken.pop(who) - 1
        if left:
            self._taken[who] = left

    @property
    def callers(self) -> int:
        """How many have something."""
        return len(self._taken)


class Standing(NamedTuple):
    """After a request: of `limit` in each window of `window_seconds`, `remaining` are left (below
    zero: this one was too many); the window ends in `reset_seconds`, rounded up."""

    rate: RateClass
    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int

    @property
    def allowed(self) -> bool:
        return self.remaining >= 0

    @property
    def lines(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers of the answer that say it."""
        name, policy = _policy_line(self.rate, self.limit, self.window_seconds)
        left = b'"%b";r=%d;t=%d' % (name, max(0, self.remaining), self.reset_seconds)
        return (b"ratelimit-policy", policy), (b"ratelimit", left)


@cache
def _policy_line(rate: RateClass, limit: int, window_seconds: int) -> tuple[bytes, bytes]:
    """The name of the policy, and what its header says."""
    name = rate.value.encode()
    return name, b'"%b";q=%d;w=%d' % (name, limit, window_seconds)


class Counters(Protocol):
    """Counters that vanish by themselves. The storages of the library `limits` are such."""

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to the counter of `key`, made with a life of `expiry` seconds; its value after."""


REMEMBERED_KEYS = 10_000
"""Of counters: one subject sends many requests in a window."""


class RateLimits:
    """Counts requests a subject and class in windows that begin at the same time for all.

    One step of one counter a request: at the edge between two windows a subject may send the
    limits of both in a short time, which is the price of asking a shared storage only once.
    """

    def __init__(
        self,
        policies: Mapping[RateClass, RateLimitItem],
        counters: Counters,
        now: Callable[[], float],
        secret: bytes,
        dependencies: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
    ) -> None:
        """`now`: seconds of a clock that all processes share, as they share `secret`: the storage
        does not learn whom it counts. `dependencies`: for the readiness report; requests are
        counted without them, too."""
        self.dependencies = dependencies or {}
        self._policies = policies
        self._counters = counters
        self._now = now
        self._secret = hashlib.blake2b(secret, person=b"rate limits").digest()
        self._key_of = lru_cache(REMEMBERED_KEYS)(self._new_key_of)

    async def spend(self, principal: Principal, rate: RateClass, times: int = 1) -> Standing:
        policy = self._policies[rate]
        seconds = policy.get_expiry()
        now = self._now()
        window = math.floor(now / seconds)
        key = self._key_of(principal, rate, window)
        count = await self._counters.incr(key, seconds, times)
        if times > 1 and count > policy.amount:
            # nothing of it is done: what is left is for others
            count = times + await self._counters.incr(key, seconds, -times)
        reset = max(1, math.ceil((window + 1) * seconds - now))
        return Standing(rate, policy.amount, seconds, policy.amount - count, reset)

    def _new_key_of(self, principal: Principal, rate: RateClass, window: int) -> str:
        """Another one in each window: a storage that is written to disk ties nothing together."""
        counted = f"{rate.value}/{window}/{principal.role.value}/{principal.subject}".encode()
        return hashlib.blake2b(counted, digest_size=16, key=self._secret).hexdigest()


MOST_COUNTERS = 100_000


class MemoryCounters:
    """At most `most`: the one that was not used for the longest begins anew."""

    def __init__(self, monotonic: Callable[[], float], most: int = MOST_COUNTERS) -> None:
        self._monotonic = monotonic
        self._most = most
        self._counters: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = self._monotonic()
        count, ends_at = self._counters.pop(key, (0, now + expiry))
        if ends_at <= now:
            count, ends_at = 0, now + expiry
        self._counters[key] = (count + amount, ends_at)
        if len(self._counters) > self._most:
            self._counters.popitem(last=False)
        return count + amount


ANSWER_SECONDS = 0.1
"""Longest a request waits for Redis; a limit is not worth more."""

AWAY_SECONDS = 5.0
"""How long Redis is left alone after it did not answer."""

log = structlog.get_logger(__name__)


def redis_counters(url: str, **options: Any) -> RedisStorage:
    """Connects when it is first used; `options` are the client's."""
    once: Any = Retry(NoBackoff(), 0)  # the library's types know only plain options
    return RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="teddy-rate",
        socket_connect_timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=once,
        **options,
    )


class CountersWithFallback:
    """`shared` as long as it answers; else `own`, where each process counts for itself."""

    def __init__(self, shared: Counters, own: Counters, monotonic: Callable[[], float]) -> None:
        self._shared = shared
        self._own = own
        self._monotonic = monotonic
        self._away_until = float("-inf")
        self._answered = True

    async def check(self) -> None:
        """Raises ConnectionError while each process counts for itself."""
        if not self._answered:
            raise ConnectionError("the storage of the rate limits has not answered recently")

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        if self._monotonic() >= self._away_until:
            try:
                async with time_limit(ANSWER_SECONDS):
                    count = await self._shared.incr(key, expiry, amount)
            except (StorageError, OSError) as error:
                self._away(error)
            else:
                self._back()
                return count
        return await self._own.incr(key, expiry, amount)

    def _away(self, error: Exception) -> None:
        self._away_until = self._monotonic() + AWAY_SECONDS
        if self._answered:
            log.warning("rate_limit_storage_unavailable", error=type(error).__name__)
        self._answered = False

    def _back(self) -> None:
        if not self._answered:
            log.info("rate_limit_storage_available")
        self._answered = True


def rate_limits(settings: RateLimitSettings, secret: bytes) -> RateLimits:
    """`secret`: one that all processes have."""
    policies = {rate: parse(getattr(settings, f"rate_limit_{rate.value}")) for rate in RateClass}
    storage, own = settings.rate_limit_storage, MemoryCounters(time.monotonic)
    if storage == RATE_LIMITS_IN_MEMORY:
        return RateLimits(policies, own, unix_seconds, secret)
    shared = CountersWithFallback(redis_counters(storage), own, time.monotonic)
    return RateLimits(policies, shared, unix_seconds, secret, {"rate_limit_storage": shared.check})
