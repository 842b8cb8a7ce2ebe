"""How fast a rebuild goes, and how long it outlives what passes: a server that is away, a worker
that was at the same child."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from projection_worker.projecting.unstorable import in_few_words

log = structlog.get_logger(__name__)


class Pace:
    """`rate`: events a second, None for no limit."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._due = time.monotonic()

    async def keep(self, events: int) -> None:
        """Wait until `events` more are due."""
        if self._rate is None:
            return
        self._due = max(self._due, time.monotonic()) + events / self._rate
        await asyncio.sleep(self._due - time.monotonic())


T = TypeVar("T")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 1.0
PATIENCE_SECONDS = 90.0
"""Longer than MongoDB keeps the transaction of a process that was killed (60 s, unless set
otherwise): its documents cannot be written until then."""


async def patiently(work: Callable[[], Awaitable[T]], *passing: type[Exception]) -> T:
    """What `work` gives. Whatever is one of `passing` is tried again with back-off, and raised once
    `PATIENCE_SECONDS` are over: a rebuild can be resumed."""
    pause, deadline = FIRST_PAUSE_SECONDS, time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await work()
        except passing as error:
            log.warning("rebuild_retried", because=in_few_words(error))
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
