"""What processes say of themselves, as queries read it: of both databases that they write."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from query_service.read_store.live_generation import reading
from query_service.read_store.port import ReadStoreUnavailable
from shared.mongo import Database
from shared.process_reports.documents import ProcessReport, read_reports

KNOWN_SECONDS = 1.0
"""However many ask, each database is asked once in so many seconds."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownReports:
    """`unread`: the databases that could not be read, and whose reports are missing."""

    reports: Sequence[ProcessReport] = ()
    unread: Sequence[str] = ()

    def of(self, kind: str) -> list[ProcessReport]:
        return [one for one in self.reports if one.kind == kind]


class ProcessReports(Protocol):
    async def known(self) -> KnownReports:
        """As of a second ago. Raises nothing: what cannot be read is missing."""


@dataclass(slots=True, eq=False)
class MongoProcessReports:
    """`databases` by the names that people know them by. `now`: monotonic."""

    databases: Mapping[str, Database]
    now: Callable[[], float]
    _known: KnownReports = field(default_factory=KnownReports, init=False)
    _read_at: float = field(default=float("-inf"), init=False)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def known(self) -> KnownReports:
        async with self._reading:
            if self.now() - self._read_at >= KNOWN_SECONDS:
                self._known = await self._read()
                self._read_at = self.now()
            return self._known

    async def _read(self) -> KnownReports:
        found = await asyncio.gather(*map(self._read_one, self.databases.values()))
        # one database may be both
        reports = {one.name: one for some in found if some is not None for one in some}
        pairs = zip(self.databases, found, strict=True)
        return KnownReports(
            sorted(reports.values(), key=lambda one: (one.kind, one.name)),
            [name for name, some in pairs if some is None],
        )

    async def _read_one(self, database: Database) -> Sequence[ProcessReport] | None:
        try:
            async with reading():
                return await read_reports(database)
        except ReadStoreUnavailable as error:
            log.warning("process_reports_unknown", error=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing else depends on it
            log.warning("process_reports_unreadable", error=type(error).__name__)
        return None
