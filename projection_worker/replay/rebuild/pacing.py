"""How fast a rebuild goes."""

import asyncio
import time


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
