"""Trying again when the store is briefly away, e.g. while a new primary is elected."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from shared.event_store.port import StoreUnavailable

T = TypeVar("T")

_jitter = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class Backoff:
    """At most `tries` tries, none started later than `within_seconds` after the first.

    Pauses double from `first_pause_seconds`; each is shortened by up to half at random, so that
    many callers do not come back at the same moment.
    """

    tries: int = 4
    first_pause_seconds: float = 0.1
    within_seconds: float = 2.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = field(default=_jitter)

    async def run(
        self,
        attempt: Callable[[], Awaitable[T]],
        is_final: Callable[[StoreUnavailable], bool] = lambda _: False,
    ) -> T:
        """What `attempt` gives; raises its last StoreUnavailable, or at once one that is final."""
        deadline = self.monotonic() + self.within_seconds
        pause = self.first_pause_seconds
        for _ in range(self.tries - 1):
            try:
                return await attempt()
            except StoreUnavailable as error:
                wait = pause * (1 - self.jitter() / 2)
                if is_final(error) or self.monotonic() + wait > deadline:
                    raise
            await self.sleep(wait)
            pause *= 2
        return await attempt()
