"""Waiting for a condition instead of sleeping.

The limits say when to give up, not how fast anything has to be: they are far beyond what a busy
machine needs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
SOON = 30.0
STARTED = 120.0
"""Of processes that have to start first."""


async def until(condition: Callable[[], bool], seconds: float = SOON) -> None:
    """Returns as soon as `condition` holds; raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def eventually(
    ask: Callable[[], Awaitable[T]],
    seconds: float = SOON,
    wanted: Callable[[T], object] = bool,
    passing: Sequence[type[Exception]] = (),
) -> T:
    """As `until`, for what has to be asked for: the first answer that is as wanted. Errors that are
    `passing` are no answer yet."""
    async with asyncio.timeout(seconds):
        while True:
            with suppress(*passing):
                answer = await ask()
                if wanted(answer):
                    return answer
            await asyncio.sleep(0.02)
