"""Tasks of asyncio: time limits, cancellation, and works that never end by themselves."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka.errors import KafkaConnectionError

AGAIN_SECONDS = 0.1


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """As asyncio.timeout, but cancels again every 0.1 s until the block ends.

    Before Python 3.12 asyncio.wait_for loses a cancellation that comes in the same turn of the loop
    as its result. PyMongo Async waits so for its turn to connect: of many operations that run out
    of time together, some would go on to the driver's own limit, several times ours.
    Raises TimeoutError.
    """
    task = asyncio.current_task()
    assert task is not None  # a coroutine always runs in one
    loop = asyncio.get_running_loop()
    repeated = 0
    handle: asyncio.TimerHandle

    def cancel_again() -> None:
        nonlocal repeated, handle
        repeated += 1
        task.cancel()
        handle = loop.call_later(AGAIN_SECONDS, cancel_again)

    async with asyncio.timeout(seconds):
        handle = loop.call_later(seconds + AGAIN_SECONDS, cancel_again)
        try:
            yield
        finally:
            handle.cancel()
            for _ in range(repeated):
                task.uncancel()


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
