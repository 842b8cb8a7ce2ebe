"""The days of the whole system: one fixed statement, whose answer everybody's periods are cut from.

So whoever asks for many periods costs the engine no more than who asks for one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson
import structlog

from query_service.kept import OneAtATime
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
    _asking: OneAtATime[KnownDays] = field(init=False)

    def __post_init__(self) -> None:
        self._asking = OneAtATime(self._ask)

    async def known(self) -> KnownDays:
        """Raises TooManyStatements, SnapshotBeingMade or ReadStoreUnavailable."""
        if self._kept is not None and self.monotonic() - self._asked_at < KEPT_SECONDS:
            return self._kept
        return await self._asking.result()

    async def close(self) -> None:
        await self._asking.close()

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
