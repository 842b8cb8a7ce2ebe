"""The days of the whole system: one fixed statement, whose answer everybody's periods are cut from.

So whoever asks for many periods costs the engine no more than who asks for one.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson
import structlog

from query_service.sql.measures import every_day
from query_service.sql.runner import SqlExceeded, SqlFormat, SqlRunner, TooManyStatements

KEPT_SECONDS = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownDays:
    """The measures of each day of which anything is known, those without a value None. `as_of`: all
    that was stored until then is in them; None: unknown."""

    days: Mapping[date, Mapping[str, Any]]
    as_of: datetime | None


@dataclass(slots=True, eq=False)
class DailySeries:
    """Asks the snapshot again after KEPT_SECONDS, once for all who wait. `monotonic`: seconds."""

    runner: SqlRunner
    monotonic: Callable[[], float]
    _kept: KnownDays | None = field(default=None, init=False)
    _asked_at: float = field(default=0.0, init=False)
    _asking: asyncio.Task[KnownDays] | None = field(default=None, init=False)

    async def known(self) -> KnownDays:
        """Raises TooManyStatements, SnapshotBeingMade or ReadStoreUnavailable."""
        if self._kept is not None and self.monotonic() - self._asked_at < KEPT_SECONDS:
            return self._kept
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._asked)
        # of its own: who asked for it may leave
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _ask(self) -> KnownDays:
        asked_at = self.monotonic()
        try:
            found = await self.runner.run(every_day(), SqlFormat.JSON)
        except SqlExceeded as error:  # the caller could ask for nothing less
            log.warning("daily_series_exceeded", what=error.what, most=error.most)
            raise TooManyStatements from None
        names = [column["name"] for column in found.columns]
        rows = (dict(zip(names, row, strict=True)) for row in orjson.loads(found.body))
        as_of = None if found.as_of is None else datetime.fromisoformat(found.as_of)
        kept = KnownDays({date.fromisoformat(row["day"]): row for row in rows}, as_of)
        self._kept, self._asked_at = kept, asked_at
        return kept

    def _asked(self, task: asyncio.Task[KnownDays]) -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # nobody may be left to hear of it
