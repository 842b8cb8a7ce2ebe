"""The figures of business as one process has them: one reading for whoever asks.

They are counted, so each reading costs; who looks at them every few seconds, or at them and at the
metrics, shall cost no more than who looks once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from query_service.kept import OneAtATime
from query_service.read_store.business_figures import BusinessFigures, two_days
from query_service.read_store.port import ReadModelDatabase
from shared.clock import Clock

KEPT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Reading:
    """`at`: when it was begun. All that was stored until `through` is in it; None: nobody knows.
    `counters`: the system's, as of the same moment."""

    at: datetime
    through: datetime | None
    counters: Mapping[str, int]
    figures: BusinessFigures


@dataclass(slots=True, eq=False)
class RecentFigures:
    """Reads them again after KEPT, or on another UTC day, once for all who wait. Every coroutine
    raises ReadStoreUnavailable."""

    store: ReadModelDatabase
    clock: Clock
    _known: Reading | None = field(default=None, init=False)
    _reading: OneAtATime[Reading] = field(init=False)

    def __post_init__(self) -> None:
        self._reading = OneAtATime(self._read)

    @property
    def last(self) -> Reading | None:
        """However old; None before the first, and after one that failed."""
        return self._known

    def recent_for(self) -> float:
        """Seconds that the last one is still recent; 0: it is not."""
        known, now = self._known, self.clock()
        if known is None or not _of_one_day(known.at, now):
            return 0.0
        age = now - known.at
        return (KEPT - age).total_seconds() if timedelta() <= age < KEPT else 0.0

    async def recent(self) -> Reading:
        if self._known is not None and self.recent_for():
            return self._known
        reading = await self.anew()
        # one that was under way at midnight is of yesterday
        return reading if _of_one_day(reading.at, self.clock()) else await self.anew()

    async def anew(self) -> Reading:
        """As soon as may be: the one under way, where there is one."""
        return await self._reading.result()

    async def close(self) -> None:
        await self._reading.close()

    async def _read(self) -> Reading:
        at = self.clock()
        try:
            through = await self.store.projected_through()
            counters = await self.store.system_counters()
            self._known = Reading(at, through, counters, await self.store.figures(at))
        except Exception:
            self._known = None
            raise
        return self._known


def _of_one_day(one: datetime, other: datetime) -> bool:
    return two_days(one) == two_days(other)
