"""Reports what a process measures of itself every few seconds, for as long as it runs."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable

import structlog

from shared.clock import new_id
from shared.mongo import Database
from shared.process_reports.documents import (
    EVERY_SECONDS,
    Measured,
    ProcessKind,
    Run,
    note_end,
    note_report,
)
from shared.tasks import time_limit

WRITE_SECONDS = 2.0
LAST_WRITE_SECONDS = 0.5
"""A process that is to end waits no longer for a store."""

log = structlog.get_logger(__name__)


def process_name(kind: ProcessKind, port: int) -> str:
    """The same after a restart, as `worker@host:8003`; of a process on any free port (0) it is
    another each time."""
    return f"{kind}@{socket.gethostname()}:{port or os.getpid()}"


class ProcessReporter:
    """`database`: one that the process writes anyway."""

    def __init__(
        self, database: Database, kind: ProcessKind, port: int, measure: Callable[[], Measured]
    ) -> None:
        self._database = database
        self._run = Run(process_name(kind, port), kind, new_id())
        self._started = time.monotonic()
        self._measure = measure
        self._is_failing = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Report beside the block, and after it that the process ends; not where an exception
        leaves the block. What fails is logged once, and disturbs nothing else."""
        stop = asyncio.Event()
        reporting = asyncio.create_task(self._report_until(stop))
        try:
            yield
            with contextlib.suppress(Exception):  # it is then silent instead
                async with time_limit(LAST_WRITE_SECONDS):
                    stop.set()
                    # a report that is written after the end would take it back
                    await asyncio.shield(reporting)
                    await note_end(self._database, self._run)
        finally:
            stop.set()
            reporting.cancel()
            await asyncio.wait({reporting})

    async def _report_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._report_if_possible()
            with contextlib.suppress(TimeoutError):
                async with time_limit(EVERY_SECONDS):
                    await stop.wait()

    async def _report_if_possible(self) -> None:
        try:
            async with time_limit(WRITE_SECONDS):
                await self.report()
        except Exception as error:  # noqa: BLE001 - the next report may succeed
            if not self._is_failing:
                log.warning("process_report_not_written", error=type(error).__name__)
            self._is_failing = True
        else:
            self._is_failing = False

    async def report(self) -> None:
        """Once. Raises PyMongoError."""
        seconds = time.monotonic() - self._started
        await note_report(self._database, self._run, seconds, self._measure())
