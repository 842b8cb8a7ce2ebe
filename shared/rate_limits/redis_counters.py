"""Counters that all processes share, in Redis; in this process while Redis is away."""

from collections.abc import Callable
from typing import Any

import structlog
from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.rate_limits.rate_limits import Counters
from shared.time_limit import time_limit

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
            raise ConnectionError("the storage of the rate limits did not answer lately")

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
            log.warning("rate_limit_storage_away", error=type(error).__name__)
        self._answered = False

    def _back(self) -> None:
        if not self._answered:
            log.info("rate_limit_storage_back")
        self._answered = True
