"""What is left to a subject of the requests that it may send in this window."""

import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem

from shared.auth.access import RateClass
from shared.auth.principal import Principal


@dataclass(frozen=True, slots=True)
class Standing:
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


class Counters(Protocol):
    """Counters that vanish by themselves. The storages of the library `limits` are such."""

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to the counter of `key`, made with a life of `expiry` seconds; its value after."""


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
        is not told whom it counts. `dependencies`: for the readiness report; requests are counted
        without them, too."""
        self.dependencies = dependencies or {}
        self._policies = policies
        self._counters = counters
        self._now = now
        self._secret = hashlib.blake2b(secret, person=b"rate limits").digest()

    async def spend(self, principal: Principal, rate: RateClass) -> Standing:
        policy = self._policies[rate]
        seconds = policy.get_expiry()
        now = self._now()
        window = math.floor(now / seconds)
        count = await self._counters.incr(self._key_of(principal, rate, window), seconds)
        return Standing(
            rate=rate,
            limit=policy.amount,
            window_seconds=seconds,
            remaining=policy.amount - count,
            reset_seconds=max(1, math.ceil((window + 1) * seconds - now)),
        )

    def _key_of(self, principal: Principal, rate: RateClass, window: int) -> str:
        """Another one in each window: a storage that is written to disk ties nothing together."""
        counted = f"{rate.value}/{window}/{principal.role.value}/{principal.subject}".encode()
        return hashlib.blake2b(counted, digest_size=16, key=self._secret).hexdigest()
