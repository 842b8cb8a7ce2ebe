"""Reads of the event store for the history of consents: few at a time, none while it is away.

With Motor each read of a server that hangs keeps a thread for seconds, and all stores share the
threads: without a bound these reads would take them from queries of the read models."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.event_store.envelope import Commit
from shared.event_store.port import EventStore, StoreUnavailable

MOST_READS = 4
PAUSE = timedelta(seconds=2)


@dataclass(slots=True, eq=False)
class ConsentReads:
    """At most MOST_READS under way in this process; none for PAUSE after one that failed."""

    events: EventStore
    clock: Clock
    _places: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(MOST_READS), init=False
    )
    _failed_at: datetime | None = field(default=None, init=False)

    async def read(self, child_id: str, before_version: int | None, limit: int) -> list[Commit]:
        """As EventStore.consents. Raises StoreUnavailable, also at once where it may not read."""
        if self._is_pausing():
            raise StoreUnavailable("known to be unavailable")
        if self._places.locked():
            raise StoreUnavailable("too many reads of consents are under way")
        async with self._places:
            try:
                return await self.events.consents(child_id, before_version, limit)
            except StoreUnavailable:
                self._failed_at = self.clock()
                raise

    def _is_pausing(self) -> bool:
        if self._failed_at is None:
            return False
        return timedelta() <= self.clock() - self._failed_at < PAUSE
