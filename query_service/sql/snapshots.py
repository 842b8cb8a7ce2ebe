"""The snapshot that statements share: kept for a bounded time, and made again meanwhile."""

import asyncio
import math
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from query_service.read_store.port import ReadStoreUnavailable
from query_service.sql.child_process import output_of
from query_service.sql.engine import SNAPSHOT

MAKING_SECONDS = 600.0
"""Longest the making of a snapshot may take."""

log = structlog.get_logger(__name__)

MakeSnapshot = Callable[[Path], Awaitable[str | None]]
"""Writes the snapshot to a new file; returns its `as_of`. Raises ReadStoreUnavailable."""


async def snapshot_of_read_models(file: Path) -> str | None:
    """A MakeSnapshot. The read models' settings are in the environment of this process, which the
    snapshot's process inherits and the engine's does not."""
    try:
        async with asyncio.timeout(MAKING_SECONDS):
            command = ("-m", "query_service.sql.snapshot", str(file))
            code, said = await output_of(command, env=dict(os.environ))
    except TimeoutError:
        code, said = -1, b""
    if code != 0:
        log.warning("sql_snapshot_failed", exit_code=code)
        raise ReadStoreUnavailable("no snapshot for SQL could be made")
    return said.decode().strip() or None


class SnapshotBeingMade(Exception):
    """There is none yet, and the statement has waited as long as it may."""


@dataclass(frozen=True, slots=True)
class _Kept:
    folder: Path
    made_at: float
    as_of: str | None


@dataclass(slots=True, eq=False)
class Snapshots:
    """One is kept for `most_age` seconds, also on the disk. From half of them on, the next
    statement has another one made, and is answered from the one that there is. `wait`: seconds
    that a statement waits where there is none. `monotonic`: seconds."""

    make: MakeSnapshot
    monotonic: Callable[[], float]
    most_age: float
    wait: float
    _kept: _Kept | None = field(default=None, init=False)
    _making: asyncio.Task[_Kept | None] | None = field(default=None, init=False)
    _expiry: asyncio.TimerHandle | None = field(default=None, init=False)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[Path, str | None]]:
        """A folder with nothing but the snapshot, linked: a newer one may take its place; and its
        `as_of`. Raises ReadStoreUnavailable or SnapshotBeingMade."""
        kept = await self._recent()
        place = _folder()
        try:
            os.link(kept.folder / SNAPSHOT, place / SNAPSHOT)
            yield place, kept.as_of
        finally:
            shutil.rmtree(place, ignore_errors=True)

    async def close(self) -> None:
        """Remove what is on the disk."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait([self._making])
        self._drop(self._kept)

    async def _recent(self) -> _Kept:
        kept = self._kept
        age = math.inf if kept is None else self.monotonic() - kept.made_at
        making = self._making
        if making is None and age >= self.most_age / 2:
            # of its own: who asked for it may leave, and the next one finds it
            making = self._making = asyncio.create_task(self._made())
        if kept is not None and age < self.most_age:
            return kept
        assert making is not None  # what is too old is older than half of it
        done, _ = await asyncio.wait([making], timeout=self.wait)
        if not done:
            raise SnapshotBeingMade
        made = None if making.cancelled() else making.result()
        if made is None:
            raise ReadStoreUnavailable("no snapshot for SQL could be made")
        return made

    async def _made(self) -> _Kept | None:
        """None where that is not possible, which is on the log."""
        made_at, folder = self.monotonic(), _folder()
        try:
            as_of = await self.make(folder / SNAPSHOT)
        except ReadStoreUnavailable:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self._making = None
        self._drop(self._kept)
        made = self._kept = _Kept(folder, made_at, as_of)
        left = self.most_age - (self.monotonic() - made_at)
        self._expiry = asyncio.get_running_loop().call_later(max(0.0, left), self._drop, made)
        return made

    def _drop(self, kept: _Kept | None) -> None:
        """Also when nobody asks any more: what was erased meanwhile has no row for longer."""
        if kept is None or kept is not self._kept:
            return
        if self._expiry is not None:
            self._expiry.cancel()
        shutil.rmtree(kept.folder, ignore_errors=True)
        self._kept = None


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="teddy-sql-"))
