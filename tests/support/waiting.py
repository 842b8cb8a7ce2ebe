"""Waiting for a condition instead of sleeping.

The limits say when to give up, not how fast anything has to be: they are far beyond what a busy
machine needs.
"""

import asyncio
from collections.abc import Awaitable, Callable

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


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = SOON) -> None:
    """As `until`, for a condition that has to ask somebody."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)
