"""Which generation of the read models queries read."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from query_service.read_store.port import ReadStoreUnavailable
from shared.event_store.commit_documents import within
from shared.mongo import Database
from shared.read_models.generations import (
    Generation,
    KeptGeneration,
    projected_through,
    read_catalog,
)

POINTER_SECONDS = 1.0
"""A flip to another generation is seen at most this long after it happened."""

READ_SECONDS = 1.25
"""Longest a read may take: a store that hangs is reported within 2 s."""

log = structlog.get_logger(__name__)


def reading() -> AbstractAsyncContextManager[None]:
    """Around a read: ReadStoreUnavailable after READ_SECONDS and for errors of the driver."""
    return within(READ_SECONDS, ReadStoreUnavailable)


@dataclass(slots=True, eq=False)
class LiveGeneration:
    """The generation that queries read. `flipped` is called once after each change of it."""

    database: Database
    clock: Callable[[], float]
    flipped: Callable[[], object]
    _known: KeptGeneration | None = field(default=None, init=False)
    _through: datetime | None = field(default=None, init=False)
    _read_at: float = field(default=0.0, init=False)
    _answered_at: float = field(default=float("-inf"), init=False)
    _answers: bool = field(default=True, init=False)
    _following: bool = field(default=False, init=False)

    @property
    def known(self) -> int | None:
        """The number of the generation that was read last; None before the first."""
        return None if self._known is None else self._known.generation.number

    async def current(self) -> Generation:
        """As `kept`, without how it was made."""
        return (await self.kept()).generation

    async def kept(self) -> KeptGeneration:
        """The live generation as of at most `POINTER_SECONDS` ago. While `follow` finds the server
        away this raises at once: with Motor each question to a server that hangs would keep a
        thread for seconds, and soon none would be left to ask the other servers."""
        if not self._answers and self._following:
            raise ReadStoreUnavailable("known to be unavailable")
        return await self._current()

    async def _current(self) -> KeptGeneration:
        known = self._known
        if known is not None and self.clock() - self._read_at < POINTER_SECONDS:
            return known
        asked_at = self.clock()
        self._through, live = await self._look(asked_at)
        before, self._known, self._read_at = self._known, live, asked_at
        if before is not None and before.generation != live.generation:
            log.info("live_generation_changed", generation=live.generation.number)
            self.flipped()
        return live

    async def _look(self, asked_at: float) -> tuple[datetime | None, KeptGeneration]:
        try:
            async with reading():
                through = await projected_through(self.database)
                catalog = await read_catalog(self.database)
        except ReadStoreUnavailable:
            self._answers = self._answered_at > asked_at  # another look was answered meanwhile
            raise
        self._answered_at, self._answers = self.clock(), True
        return through, catalog.of(catalog.live)

    def away_seconds(self) -> float | None:
        """Since the last answer, without end before the first; None while looks are answered."""
        return None if self._answers else self.clock() - self._answered_at

    async def projected_through(self) -> datetime | None:
        """As of at most `POINTER_SECONDS` ago, so rather too early than too late."""
        await self.current()
        return self._through

    async def follow(self) -> None:
        """Look for a flip for ever, so that it is seen even while nobody's query reads."""
        self._following = True
        while True:
            try:
                await self._current()
            except ReadStoreUnavailable as error:
                log.warning("live_generation_unknown", error=str(error))
            await asyncio.sleep(POINTER_SECONDS)
