"""Where sealed answers are kept for all query processes: a server of Redis' protocol. It is worth a
few milliseconds and no error."""

import asyncio
import math
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from shared.tasks import time_limit

ANSWER_SECONDS = 0.05
"""Longest a query waits for it: then it is left alone, and nobody waits for it again."""

FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 1.0, 30.0
"""Between two looks for a server that did not answer; twice as long each time."""

CONNECT_SECONDS = 1.0
"""Longest that such a look takes, with a new connection."""

FULL_SECONDS = 5.0
"""How long nothing is put after the server had no room."""

MOST_AT_ONCE = 64
"""Of questions under way: beyond that, the read store answers as soon."""

MOST_BYTES = 512 * 1024
"""Of one sealed answer. Of a larger value, whoever put it there, no more is read."""

KEY_PREFIX = "teddy-answer:"

log = structlog.get_logger(__name__)


class AnswersAway(Exception):
    """The server did not answer, now or recently, or has enough to do."""


class AnswerServer(Protocol):
    async def get(self, key: str) -> bytes | None:
        """At most MOST_BYTES of what is kept. Raises AnswersAway."""

    async def put(self, key: str, value: bytes, milliseconds: int) -> None:
        """Keep it that long, or shorter. Raises AnswersAway."""


class RedisAnswers:
    """Connects when it is first used. A server that does not answer in time is asked again behind
    the queries' backs, until it does."""

    def __init__(self, url: str, **options: Any) -> None:
        """`options` are the client's."""
        once = Retry(NoBackoff(), 0)
        self._redis: Any = Redis.from_url(url, retry=once, **options)
        self._under_way = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._full_until = -math.inf
        self._away: asyncio.Task[None] | None = None

    async def get(self, key: str) -> bytes | None:
        try:
            value = await self._ask("GETRANGE", key, 0, MOST_BYTES - 1)
        except ResponseError as error:  # what is there is no text
            raise AnswersAway from error
        return value or None

    async def put(self, key: str, value: bytes, milliseconds: int) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._full_until:
            raise AnswersAway
        try:
            await self._ask("SET", key, value, "PX", milliseconds)
        except ResponseError as error:
            self._full_until = now + FULL_SECONDS
            log.warning("query_cache_storage_full", error=type(error).__name__)
            raise AnswersAway from error

    @property
    def is_left_alone(self) -> bool:
        """It did not answer, and nobody waits for it."""
        return self._away is not None

    async def check(self) -> None:
        """Raises ConnectionError while the server is left alone."""
        if self.is_left_alone:
            raise ConnectionError("the storage of the query cache has not answered recently")

    async def close(self) -> None:
        if self._away is not None:
            self._away.cancel()
            await asyncio.gather(self._away, return_exceptions=True)
        await self._redis.aclose()

    async def _ask(self, command: str, key: str, *values: Any) -> Any:
        """Raises AnswersAway, or ResponseError for what the server refuses."""
        if self.is_left_alone or self._under_way >= MOST_AT_ONCE:
            raise AnswersAway
        self._under_way += 1
        try:
            async with time_limit(ANSWER_SECONDS):
                answer = await self._redis.execute_command(command, KEY_PREFIX + key, *values)
        except ResponseError:
            raise
        except (RedisError, OSError) as error:
            if self._away is None:
                log.warning("query_cache_storage_unavailable", error=type(error).__name__)
                self._away = asyncio.create_task(self._until_it_answers())
            raise AnswersAway from error
        finally:
            self._under_way -= 1
        self._pause = FIRST_PAUSE_SECONDS
        return answer

    async def _until_it_answers(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LAST_PAUSE_SECONDS)
            try:
                async with time_limit(CONNECT_SECONDS):
                    await self._redis.execute_command("PING")
            except (RedisError, OSError):
                continue
            log.info("query_cache_storage_available")
            self._away = None
            return
