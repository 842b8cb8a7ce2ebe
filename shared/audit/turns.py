"""How a process that also answers others reads many records."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from shared.audit.chain import Block

Done = TypeVar("Done")

MOST_LINES = 100
"""Checked at once, in about 2 ms. A block of more is left to a thread, which shares the
interpreter."""


async def in_turn(work: Callable[..., Done], block: Block, *more: Any) -> Done:
    """What `work` does with a block; others have their turn afterwards."""
    if len(block.lines) > MOST_LINES:
        return await asyncio.to_thread(work, block, *more)
    done = work(block, *more)
    await asyncio.sleep(0)
    return done
