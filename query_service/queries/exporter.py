"""Exporter: writes an export line by line, and goes on where a cursor says."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from query_service.queries.export_child import Opening, Record, line_of
from query_service.queries.query import RequestRefused
from query_service.read_store.whole_child import SORTED_BY, After, Part, WholeChild
from shared.clock import iso, parse_iso
from shared.event_store.port import EventStore
from shared.keyring.keyring import ChildCipher, Keyring
from shared.signing import SignatureRefused, Signer

CURSOR_LENGTH = 1_024
"""Characters at most."""

REFUSED = "not a cursor of this child's export; send that of a `progress` line unchanged"


EVENT, END = "event", "end"
STAGES = (*(part.value for part in Part), EVENT, END)
"""What is exported, in this order: the read models of Part, then the events."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What was written so far. `after`: the last document of the stage, None before its first.
    `version`: the last event. `counts`: records of each kind; `unreadable`: how many of them hold
    what does not open."""

    generation: int
    stage: str = STAGES[0]
    after: After | None = None
    version: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0

    def wrote(self, records: int, unreadable: int) -> "Progress":
        """So many more records of this stage."""
        count = self.counts.get(self.stage, 0) + records
        counts = {**self.counts, self.stage: count}
        return replace(self, counts=counts, unreadable=self.unreadable + unreadable)

    def at_next_stage(self) -> "Progress":
        return replace(self, stage=STAGES[STAGES.index(self.stage) + 1], after=None)


class ExportCursors:
    """A cursor says where a child's export goes on, and opens nothing: whoever brings it is asked
    for a token as for the first part."""

    def __init__(self, signature_key: bytes) -> None:
        self._signer = Signer(signature_key, "cursor:export")

    def write(self, child_id: str, progress: Progress) -> str:
        after = progress.after
        key = after and (iso(after.key) if isinstance(after.key, datetime) else after.key)
        counts = [progress.counts.get(stage, 0) for stage in STAGES]
        place = [progress.generation, progress.stage, key, after and after.id, progress.version]
        return self._signer.sign(orjson.dumps([child_id, *place, counts, progress.unreadable]))

    def read(self, cursor: str, child_id: str) -> Progress:
        """Raises RequestRefused for what was not given out here for this child."""
        try:
            content: list[Any] = orjson.loads(self._signer.open(cursor))
        except SignatureRefused:
            raise RequestRefused("cursor", REFUSED) from None
        of_child, generation, stage, key, identity, version, counts, unreadable = content
        if of_child != child_id:
            raise RequestRefused("cursor", REFUSED)
        return Progress(
            generation,
            stage,
            None if key is None else After(_key(stage, key), identity),
            version,
            {each: count for each, count in zip(STAGES, counts, strict=True) if count},
            unreadable,
        )


def _key(stage: str, text: str) -> datetime | str:
    """A day is kept as a text, all else is sorted by a time."""
    return text if stage == Part.ACTIVITY else parse_iso(text)


PAGE = 100
"""Documents or commits that are read and held at a time."""

AT_A_TIME = 25
"""Records that are opened before everybody else has a turn, about half a millisecond."""

BETWEEN_CURSORS = 1_000
"""Records between two progress lines; a page may make it more."""


class ChildErased(Exception):
    """Its key was destroyed while it was exported."""


Rest = Callable[[float], Awaitable[None]]
"""How long an export rests after it was busy for so many seconds."""


async def as_long(busy: float) -> None:
    """So that an export takes half of the event loop at most, whatever else there is to do."""
    await asyncio.sleep(busy)


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes exports. Of a child's history one page is held, and nothing is read ahead of who
    takes the lines."""

    store: WholeChild
    events: EventStore
    keyring: Keyring
    cursors: ExportCursors
    page: int = PAGE
    between_cursors: int = BETWEEN_CURSORS
    rest: Rest = as_long

    async def start(self, child_id: str, cursor: str | None) -> Progress:
        """Where an export begins, or goes on: in the generation in which it began, or where that is
        gone in the live one, in which the same documents stand in the same order.

        Raises RequestRefused, ReadStoreUnavailable."""
        if cursor is None:
            return Progress(await self.store.live())
        progress = self.cursors.read(cursor, child_id)
        if await self.store.is_kept(progress.generation):
            return progress
        return replace(progress, generation=await self.store.live())

    async def lines(self, child_id: str, start: Progress) -> AsyncGenerator[bytes, None]:
        """The lines after `start`, a page at a time, until the last.

        Raises ChildErased, GenerationGone or StoreUnavailable; whoever asks goes on with a cursor.
        """
        progress, since_cursor = start, 0
        while progress.stage != END:
            progress, lines = await self._read(child_id, progress)
            since_cursor += len(lines)
            if since_cursor >= self.between_cursors:
                since_cursor = 0
                cursor = self.cursors.write(child_id, progress)
                lines.append(line_of({"kind": "progress", "cursor": cursor}))
            # asked of the key store, behind all that was read: what is written is no erased child's
            if not await self.keyring.still_there([child_id]):
                raise ChildErased
            if lines:
                yield b"".join(lines)
        counts = {stage: progress.counts.get(stage, 0) for stage in STAGES if stage != END}
        yield line_of({"kind": "end", "counts": counts, "unreadable": progress.unreadable})

    async def _read(self, child_id: str, progress: Progress) -> tuple[Progress, list[bytes]]:
        """The next page as lines, and where it ends."""
        cipher = (await self.keyring.ciphers([child_id])).get(child_id)
        if cipher is None:
            raise ChildErased
        if progress.stage == EVENT:
            return await self._read_events(child_id, progress, cipher)
        part = Part(progress.stage)
        page = await self.store.page(progress.generation, child_id, part, progress.after, self.page)
        opening = Opening(child_id, cipher)
        lines = await self._written(opening.document(part, one) for one in page)
        progress = progress.wrote(len(lines), opening.unreadable)
        if part not in SORTED_BY or len(page) < self.page:
            return progress.at_next_stage(), lines
        return replace(progress, after=After.of(part, page[-1])), lines

    async def _read_events(
        self, child_id: str, progress: Progress, cipher: ChildCipher
    ) -> tuple[Progress, list[bytes]]:
        commits = await self.events.load(child_id, progress.version, self.page)
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
        return (progress.at_next_stage() if len(commits) < self.page else progress), lines

    async def _written(self, records: Iterator[Record]) -> list[bytes]:
        """Others have their turn between any few of them, and as much time as this took."""
        lines: list[bytes] = []
        busy, began = 0.0, time.perf_counter()
        for record in records:
            lines.append(line_of(record))
            if len(lines) % AT_A_TIME == 0:
                busy += time.perf_counter() - began
                await asyncio.sleep(0)
                began = time.perf_counter()
        busy += time.perf_counter() - began
        await self.rest(busy)
        return lines
