"""Tasks of asyncio: time limits, cancellation, and works that never end by themselves."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any

from aiokafka.errors import KafkaConnectionError

AGAIN_SECONDS = 0.1


class TimeLimit:
    """As asyncio.timeout, but cancels again every 0.1 s until the block ends.

    Before Python 3.12 asyncio.wait_for loses a cancellation that comes in the same turn of the loop
    as its result. PyMongo Async waits so for its turn to connect: of many operations that run out
    of time together, some would go on to the driver's own limit, several times ours.
    Raises what `late` gives, for a TimeoutError in the block as well.

    A class with one timer: every command passes several of these, and a generator around
    asyncio.timeout takes three times as long.
    """

    __slots__ = ("_cancelled", "_cancelling", "_loop", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def late(self) -> Exception:
        """Says that the block took longer than its seconds."""
        return TimeoutError()

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # a coroutine always runs in one
        self._task, self._cancelling, self._cancelled = task, task.cancelling(), 0
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._seconds, self._cancel)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        is_late = isinstance(error, TimeoutError)
        for _ in range(self._cancelled):
            self._task.uncancel()
        if self._cancelled and kind is asyncio.CancelledError:
            is_late = self._task.cancelling() <= self._cancelling
        if is_late:
            raise self.late() from error

    def _cancel(self) -> None:
        self._cancelled += 1
        self._task.cancel()
        self._timer = self._loop.call_later(AGAIN_SECONDS, self._cancel)


def time_limit(seconds: float) -> TimeLimit:
    """Bounds a block; raises TimeoutError."""
    return TimeLimit(seconds)


@contextmanager
def only_own_cancellation() -> Iterator[None]:
    """Raises KafkaConnectionError for a CancelledError that was not meant for this task.

    aiokafka lets the ends of its own tasks through to whoever waits for them, as when a connection
    is closed or a topic goes. Whoever takes that for the end of their own task ends without a word.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 0:
            raise
        raise KafkaConnectionError("cancelled inside the client library") from error


@asynccontextmanager
async def in_background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run them beside the block; cancel them at its end."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
