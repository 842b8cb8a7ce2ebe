"""A store that is briefly away: a deadline, tries with pauses, and a circuit breaker."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from shared.event_store.port import StoreUnavailable
from shared.tasks import TimeLimit

FAILURES_TO_OPEN = 5
PROBE_EVERY_SECONDS = 0.5

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
        latest = self.monotonic() + self.within_seconds
        pause = self.first_pause_seconds
        for _ in range(self.tries - 1):
            try:
                return await attempt()
            except StoreUnavailable as error:
                wait = pause * (1 - self.jitter() / 2)
                if is_final(error) or self.monotonic() + wait > latest:
                    raise
            await self.sleep(wait)
            pause *= 2
        return await attempt()


class CircuitBreaker:
    """Opens when `FAILURES_TO_OPEN` commands in a row found the store away.

    While it is open one command at a time, and one each `PROBE_EVERY_SECONDS`, is let through: the
    first that succeeds closes it. `monotonic` gives seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._probing = False
        self._probe_at = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Learns from how the block ends; raises StoreUnavailable instead of entering it."""
        is_probe = self._failures >= FAILURES_TO_OPEN
        if is_probe and (self._probing or self._monotonic() < self._probe_at):
            raise StoreUnavailable("known to be unavailable")
        self._probing = self._probing or is_probe
        try:
            yield
        except StoreUnavailable:
            self._failures += 1
            self._probe_at = self._monotonic() + PROBE_EVERY_SECONDS
            raise
        else:  # not after a refusal: a command may be refused without asking the store
            self._failures = 0
        finally:
            if is_probe:
                self._probing = False


class deadline(TimeLimit):  # noqa: N801 - read as asyncio.timeout is
    """Ends a command after `seconds`, whatever it waits for and however often it tries again. What
    it offered to the store by then may land later: the same request under its idempotency key finds
    out. Raises StoreUnavailable."""

    __slots__ = ()

    def late(self) -> StoreUnavailable:
        return StoreUnavailable(f"no answer within {self._seconds:g} s")
