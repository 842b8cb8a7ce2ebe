"""Runs a caller's SQL: a snapshot that is at most so old, and a process for each statement."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
import structlog

from query_service.sql import engine
from query_service.sql.child_process import output_of
from query_service.sql.snapshots import MAKING_SECONDS, MakeSnapshot, Snapshots
from query_service.sql.tables import TABLES

ENGINE = Path(engine.__file__)
KILLED = -9
TABLE_NAMES = frozenset(table.name for table in TABLES)

log = structlog.get_logger(__name__)


class SqlFormat(StrEnum):
    """`JSON`: an array of arrays; `JSONL`: an object a line."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """Of one statement: rows and bytes of its result, memory of the engine, seconds. And how many
    run at a time, how many seconds old the snapshot may be, and how many a statement waits for one
    where there is none."""

    rows: int = 10_000
    bytes: int = 8 * 2**20
    memory_mb: int = 256
    seconds: int = 10
    running: int = 2
    snapshot_age: float = 300.0
    snapshot_wait: float = MAKING_SECONDS


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
    """The statement needs more than it may: `what` is `time`, `memory` or `bytes`; `most`: how much
    it may."""

    def __init__(self, what: str, most: str) -> None:
        super().__init__(what)
        self.what = what
        self.most = most


class TooManyStatements(Exception):
    """As many run as may."""


@dataclass(frozen=True, slots=True)
class SqlResult:
    """`columns`: `{"name", "type"}` of each; `rows`: how many; `truncated`: there are more. `body`
    in the format asked for. `tables`: those that were read. `as_of`: all that was stored until then
    is in it; None: unknown."""

    columns: list[dict[str, str]]
    rows: int
    truncated: bool
    tables: tuple[str, ...]
    body: bytes
    as_of: str | None


class SqlRunner:
    """Close it: it keeps a snapshot on the disk."""

    def __init__(
        self, limits: SqlLimits, monotonic: Callable[[], float], make_snapshot: MakeSnapshot
    ) -> None:
        """`monotonic`: seconds."""
        self.limits = limits
        self._monotonic = monotonic
        self._snapshots = Snapshots(
            make_snapshot, monotonic, limits.snapshot_age, limits.snapshot_wait
        )
        self._running = 0

    async def run(self, sql: str, form: SqlFormat, most_rows: int | None = None) -> SqlResult:
        """`most_rows`: of the result, within the limits; None: the limit. Whoever cancels it ends
        the statement. Raises SqlRefused, SqlExceeded, TooManyStatements, SnapshotBeingMade or
        ReadStoreUnavailable."""
        if self._running >= self.limits.running:
            raise TooManyStatements
        self._running += 1
        try:
            async with self._snapshots.place() as (place, as_of):
                head, body = await self._evaluate(sql, form, most_rows, place)
        finally:
            self._running -= 1
        tables = tuple(name for name in head["tables"] if name in TABLE_NAMES)
        return SqlResult(head["columns"], head["rows"], head["truncated"], tables, body, as_of)

    async def close(self) -> None:
        """Remove what is on the disk."""
        await self._snapshots.close()

    async def _evaluate(
        self, sql: str, form: SqlFormat, most_rows: int | None, place: Path
    ) -> tuple[dict[str, Any], bytes]:
        asked = {"sql": sql, "format": form.value, **self._bounds(most_rows)}
        began, seconds = self._monotonic(), self.limits.seconds
        try:
            async with asyncio.timeout(seconds):
                # -I: nothing of the environment or the working folder decides what is imported
                command = ("-I", str(ENGINE))
                code, said = await output_of(command, orjson.dumps(asked), cwd=place, env={})
        except TimeoutError:
            raise self._exceeded("time") from None
        if code == KILLED and self._monotonic() - began >= seconds:  # by the limit of its CPU
            raise self._exceeded("time")
        if code != 0:  # killed, or without memory outside of the engine's own bound
            log.warning("sql_engine_ended", exit_code=code)
            raise self._exceeded("memory")
        first, _, body = said.partition(b"\n")
        head: dict[str, Any] = orjson.loads(first)
        if "refused" in head:
            raise SqlRefused(**head["refused"])
        if "exceeded" in head:
            raise self._exceeded(head["exceeded"])
        return head, body

    def _exceeded(self, what: str) -> SqlExceeded:
        of = self.limits
        most = {
            "time": f"{of.seconds} s",
            "memory": f"{of.memory_mb} MiB",
            "bytes": f"{of.bytes} bytes",
        }
        return SqlExceeded(what, most[what])

    def _bounds(self, most_rows: int | None) -> dict[str, int]:
        of = self.limits
        rows = of.rows if most_rows is None else min(most_rows, of.rows)
        bounds = {"bytes": of.bytes, "memory_mb": of.memory_mb, "seconds": of.seconds}
        return {"rows": rows, **bounds}
