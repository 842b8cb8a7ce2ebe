"""ExportChild: all that is stored about a child, for its family, as lines of JSON."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import orjson

from query_service.queries.export_cursor import ExportCursors, Progress, Stage
from query_service.queries.export_records import ExportHeader, Opening, Record
from query_service.queries.visible_children import VisibleChildren
from query_service.query_bus import Answer, Query
from query_service.read_store.whole_child import SORTED_BY, After, Part, WholeChild
from query_service.scope import Scope
from shared.clock import Clock, iso
from shared.event_store.port import EventStore
from shared.keyring.cipher import ChildCipher
from shared.keyring.keyring import Keyring

PAGE = 100
"""Documents or commits that are read and held at a time."""

AT_A_TIME = 25
"""Records that are opened before everybody else has a turn, about half a millisecond."""

BETWEEN_CURSORS = 1_000
"""Records between two progress lines; a page may make it more."""


@dataclass(frozen=True, slots=True)
class ExportChild(Query):
    child_id: str


class ExportChildHandler:
    """Answers the first line. It is not begun where the events, which come last, cannot be read."""

    def __init__(self, children: VisibleChildren, events: EventStore, clock: Clock) -> None:
        self._children = children
        self._events = events
        self._clock = clock

    async def handle(self, query: ExportChild, scope: Scope) -> Answer:
        """Raises ChildNotFound, also for an erased child."""
        child = await self._children.find(query.child_id, scope)
        await self._events.load(query.child_id, 0, 1)
        header = ExportHeader(
            child_id=query.child_id,
            exported_at=self._clock(),
            version=child.document["version"],
            stale_since=child.stale_since,
        )
        return Answer(header, (child.id,), header.version)


class ChildErased(Exception):
    """Its key was destroyed while it was exported."""


class Rest(Protocol):
    """How long an export rests after it has worked for so many seconds."""

    async def __call__(self, worked: float, /) -> None: ...


async def as_long(worked: float) -> None:
    """So that an export takes half of the event loop at most, whatever else there is to do."""
    await asyncio.sleep(worked)


class Exporter:
    """Writes exports. Of a child's history one page is held, and nothing is read ahead of who
    takes the lines."""

    def __init__(
        self,
        store: WholeChild,
        events: EventStore,
        keyring: Keyring,
        cursors: ExportCursors,
        page: int = PAGE,
        between_cursors: int = BETWEEN_CURSORS,
        rest: Rest = as_long,
    ) -> None:
        self._store = store
        self._events = events
        self._keyring = keyring
        self._cursors = cursors
        self._page = page
        self._between_cursors = between_cursors
        self._rest = rest

    async def start(self, child_id: str, cursor: str | None) -> Progress:
        """Where an export begins, or goes on: in the generation in which it began, or where that is
        gone in the live one, in which the same documents stand in the same order.

        Raises RequestRefused, ReadStoreUnavailable.
        """
        if cursor is None:
            return Progress(await self._store.live())
        progress = self._cursors.read(cursor, child_id)
        if await self._store.is_kept(progress.generation):
            return progress
        return replace(progress, generation=await self._store.live())

    async def lines(self, child_id: str, start: Progress) -> AsyncGenerator[bytes, None]:
        """The lines after `start`, a page at a time, until the last.

        Raises ChildErased, GenerationGone or StoreUnavailable; whoever asks goes on with a cursor.
        """
        progress, since_cursor = start, 0
        while progress.stage is not Stage.END:
            progress, lines = await self._read(child_id, progress)
            since_cursor += len(lines)
            if since_cursor >= self._between_cursors:
                since_cursor = 0
                cursor = self._cursors.write(child_id, progress)
                lines.append(line_of({"kind": "progress", "cursor": cursor}))
            # asked of the key store, behind all that was read: what is written is no erased child's
            if not await self._keyring.still_there([child_id]):
                raise ChildErased
            if lines:
                yield b"".join(lines)
        counts = {stage.value: progress.counts.get(stage, 0) for stage in Stage}
        del counts[Stage.END]
        yield line_of({"kind": "end", "counts": counts, "unreadable": progress.unreadable})

    async def _read(self, child_id: str, progress: Progress) -> tuple[Progress, list[bytes]]:
        """The next page as lines, and where it ends."""
        cipher = (await self._keyring.ciphers([child_id])).get(child_id)
        if cipher is None:
            raise ChildErased
        if progress.stage is Stage.EVENT:
            return await self._read_events(child_id, progress, cipher)
        part = Part(progress.stage)
        page = await self._store.page(
            progress.generation, child_id, part, progress.after, self._page
        )
        opening = Opening(child_id, cipher)
        lines = await self._written(opening.document(part, one) for one in page)
        progress = progress.wrote(len(lines), opening.unreadable)
        if part not in SORTED_BY or len(page) < self._page:
            return progress.at_next_stage(), lines
        return replace(progress, after=After.of(part, page[-1])), lines

    async def _read_events(
        self, child_id: str, progress: Progress, cipher: ChildCipher
    ) -> tuple[Progress, list[bytes]]:
        commits = await self._events.load(child_id, progress.version, self._page)
        opening = Opening(child_id, cipher)
        lines = await self._written(
            opening.event(commit, recorded)
            for commit in commits
            for recorded in commit.recorded_events()
            if recorded.version > progress.version
        )
        progress = progress.wrote(len(lines), opening.unreadable)
        if commits:
            progress = replace(progress, version=commits[-1].last_version)
        return (progress.at_next_stage() if len(commits) < self._page else progress), lines

    async def _written(self, records: Iterator[Record]) -> list[bytes]:
        """Others have their turn between any few of them, and as much time as this took."""
        lines: list[bytes] = []
        worked, began = 0.0, time.perf_counter()
        for record in records:
            lines.append(line_of(record))
            if len(lines) % AT_A_TIME == 0:
                worked += time.perf_counter() - began
                await asyncio.sleep(0)
                began = time.perf_counter()
        worked += time.perf_counter() - began
        await self._rest(worked)
        return lines


def line_of(record: Record) -> bytes:
    options = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(record, default=_plain, option=options)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(f"{type(value).__name__} has no place in an export")
