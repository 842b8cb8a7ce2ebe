"""Runs a caller's SQL: a snapshot that is at most so old, and a process for each statement."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
import structlog

from query_service.read_store.port import ReadStoreUnavailable
from query_service.sql import engine

ENGINE = Path(engine.__file__)
SNAPSHOT = engine.SNAPSHOT
KILLED_BY_CPU_LIMIT = -9
SNAPSHOT_SECONDS = 120.0
"""Longest the making of a snapshot may take."""

log = structlog.get_logger(__name__)


class SqlFormat(StrEnum):
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """Of one statement: rows and bytes of its result, memory of the engine, seconds. And how many
    run at a time, and how many seconds old the snapshot may be."""

    rows: int = 10_000
    bytes: int = 8 * 2**20
    memory_mb: int = 256
    seconds: int = 10
    running: int = 2
    snapshot_age: float = 60.0


class SqlRefused(Exception):
    """The statement cannot be run as it is. `line`, `column`: where, from 1, if that is known."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = "" if self.line is None else f"line {self.line}, column {self.column}: "
        return place + " ".join(self.message.split())


class SqlExceeded(Exception):
    """The statement needs more than it may: `what` is `time`, `memory` or `bytes`."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class TooManyStatements(Exception):
    """As many run as may."""


@dataclass(frozen=True, slots=True)
class SqlResult:
    """`columns`: `{"name", "type"}` of each; `rows`: how many; `truncated`: there are more. `body`
    in the format asked for. `as_of`: all that was stored until then is in it; None: unknown."""

    columns: list[dict[str, str]]
    rows: int
    truncated: bool
    body: bytes
    as_of: str | None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    folder: Path
    made_at: float
    as_of: str | None


MakeSnapshot = Callable[[Path], Awaitable[str | None]]
"""Writes the snapshot to a new file; returns its `as_of`. Raises ReadStoreUnavailable."""


async def snapshot_of_read_models(file: Path) -> str | None:
    """A MakeSnapshot. The read models' settings are in the environment of this process, which the
    snapshot's process inherits and the engine's does not."""
    try:
        async with asyncio.timeout(SNAPSHOT_SECONDS):
            command = ("-m", "query_service.sql.snapshot", str(file))
            code, said = await _ran(command, env=dict(os.environ))
    except TimeoutError:
        code, said = -1, b""
    if code != 0:
        log.warning("sql_snapshot_failed", exit_code=code)
        raise ReadStoreUnavailable("no snapshot for SQL could be made")
    return said.decode().strip() or None


@dataclass(slots=True, eq=False)
class SqlRunner:
    """`monotonic`: seconds."""

    limits: SqlLimits
    monotonic: Callable[[], float]
    make_snapshot: MakeSnapshot
    _snapshot: _Snapshot | None = field(default=None, init=False)
    _making: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _running: int = field(default=0, init=False)

    async def run(self, sql: str, form: SqlFormat) -> SqlResult:
        """Raises SqlRefused, SqlExceeded, TooManyStatements or ReadStoreUnavailable."""
        if self._running >= self.limits.running:
            raise TooManyStatements
        self._running += 1
        try:
            async with self._place() as (place, as_of):
                head, body = await self._evaluate(sql, form, place)
        finally:
            self._running -= 1
        return SqlResult(head["columns"], head["rows"], head["truncated"], body, as_of)

    def close(self) -> None:
        """Remove what is on the disk."""
        if self._snapshot is not None:
            shutil.rmtree(self._snapshot.folder, ignore_errors=True)
            self._snapshot = None

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[tuple[Path, str | None]]:
        """A folder with nothing but the snapshot, linked: a newer one may take its place."""
        async with self._making:
            snapshot = await self._recent()
            place = _folder()
            os.link(snapshot.folder / SNAPSHOT, place / SNAPSHOT)
        try:
            yield place, snapshot.as_of
        finally:
            shutil.rmtree(place, ignore_errors=True)

    async def _recent(self) -> _Snapshot:
        known = self._snapshot
        if known is not None and self.monotonic() - known.made_at < self.limits.snapshot_age:
            return known
        made_at, folder = self.monotonic(), _folder()
        try:
            as_of = await self.make_snapshot(folder / SNAPSHOT)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.close()
        self._snapshot = _Snapshot(folder, made_at, as_of)
        return self._snapshot

    async def _evaluate(
        self, sql: str, form: SqlFormat, place: Path
    ) -> tuple[dict[str, Any], bytes]:
        asked = {"sql": sql, "format": form.value, **self._bounds}
        try:
            async with asyncio.timeout(self.limits.seconds):
                # -I: nothing of the environment or the working folder decides what is imported
                command = ("-I", str(ENGINE))
                code, said = await _ran(command, orjson.dumps(asked), cwd=place, env={})
        except TimeoutError:
            raise SqlExceeded("time") from None
        if code == KILLED_BY_CPU_LIMIT:
            raise SqlExceeded("time")
        if code != 0:  # killed, or without memory outside of the engine's own bound
            log.warning("sql_engine_ended", exit_code=code)
            raise SqlExceeded("memory")
        first, _, body = said.partition(b"\n")
        head: dict[str, Any] = orjson.loads(first)
        if "refused" in head:
            raise SqlRefused(**head["refused"])
        if "exceeded" in head:
            raise SqlExceeded(head["exceeded"])
        return head, body

    @property
    def _bounds(self) -> dict[str, int]:
        of = self.limits
        return {
            "rows": of.rows,
            "bytes": of.bytes,
            "memory_mb": of.memory_mb,
            "seconds": of.seconds,
        }


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="teddy-sql-"))


async def _ran(arguments: Sequence[str], sent: bytes = b"", **place: Any) -> tuple[int, bytes]:
    """Exit code and output of a Python process, which does not outlive the call."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        **place,
    )
    try:
        said, _ = await process.communicate(sent)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said
