"""A bound on waiting that holds, also where the code waited for swallows a cancellation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
