"""What is read for many who ask: one reading at a time, or kept for a while."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from shared.tasks import time_limit

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class OneAtATime(Generic[T]):
    """Whoever asks while `work` is under way waits for that one."""

    work: Callable[[], Coroutine[Any, Any, T]]
    _under_way: asyncio.Task[T] | None = field(default=None, init=False)

    async def result(self) -> T:
        """Raises what `work` raises."""
        if self._under_way is None:
            self._under_way = asyncio.create_task(self.work())
            self._under_way.add_done_callback(self._ended)
        # of its own: who asked for it may leave
        return await asyncio.shield(self._under_way)

    async def close(self) -> None:
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait([self._under_way])

    def _ended(self, task: asyncio.Task[T]) -> None:
        self._under_way = None
        if not task.cancelled():
            task.exception()  # nobody may be left to hear of it


@dataclass(slots=True, eq=False)
class Kept(Generic[T]):
    """Read again `seconds` after it was read, once for all who ask meanwhile. What cannot be read,
    or not within `most_seconds`, is None, and is kept as long. `name`: in the log. `monotonic`:
    seconds."""

    name: str
    read: Callable[[], Awaitable[T]]
    seconds: float
    most_seconds: float
    monotonic: Callable[[], float]
    _value: T | None = field(default=None, init=False)
    _until: float = field(default=float("-inf"), init=False)
    _is_away: bool = field(default=False, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def known(self) -> T | None:
        async with self._turn:
            if self.monotonic() >= self._until:
                self._value = await self._read_now()
                self._until = self.monotonic() + self.seconds
            return self._value

    async def _read_now(self) -> T | None:
        try:
            async with time_limit(self.most_seconds):
                value = await self.read()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing else depends on it
            if not self._is_away:
                log.warning("part_unknown", part=self.name, error=type(error).__name__)
            self._is_away = True
            return None
        self._is_away = False
        return value
