"""Compares one child with a long history, of which no more than a page is in memory at a time.

What is in memory is its fold: every document that the events add up to. The stored ones pass by,
one after the other."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from projection_worker.projecting.decoding import UNREADABLE, EventSource
from projection_worker.projections.registry import Place
from projection_worker.projections.rules import Rules
from projection_worker.replay.documents import (
    ChildFold,
    Folded,
    StoredChildren,
    documents_of,
    without_opened,
)
from projection_worker.replay.histories import ends_at, events_of, relevant_pages
from projection_worker.replay.verify.comparison import (
    Scope,
    Verification,
    behind,
    broken_chain,
    compare_one,
    unfolded,
)
from shared.event_store.envelope import ChainBroken, RecordedEvent, StreamPosition, verify_chain
from shared.event_store.port import pages
from shared.mongo import Database
from shared.read_models.documents import Model
from shared.read_models.generations import read_cutoff

LOOK_SECONDS = 0.1

Seen = Callable[[int], Awaitable[None]]
"""Takes how many more events were read."""

Stored = AsyncIterator[tuple[Place, Any]]


@dataclass(frozen=True, slots=True)
class LongChildren:
    """Of one generation; `models` are those that are compared."""

    source: EventSource
    stored: StoredChildren
    database: Database
    models: frozenset[Model]

    async def compare(
        self, child_id: str, rules: Rules, deadline: float, seen: Seen
    ) -> Verification:
        """`deadline`: by the monotonic clock, until when workers may bring it to where the store
        is."""
        result = Verification(children=1)
        begun_at = await self.stored.version(child_id)
        reading = await self._reading(child_id, rules, begun_at)
        last = await self._walk(reading, begun_at, result, seen)
        await self._wait_until_caught_up(child_id, last, deadline)
        # before the moment that is looked at, so that it does not last
        await self._go_on(reading, await self.stored.version(child_id))
        async with self.stored.one_by_one(child_id) as (version, documents):
            result.events = version
            if begun_at < await ends_at(self.source.store, child_id) <= version:  # erased meanwhile
                reading = await self._reading(child_id, rules, version)
            await self._go_on(reading, version)
            if version < last:
                result.behind.add(child_id)
                result.dead_lettered |= await self.stored.dead_lettered([child_id])
                result.note(behind(child_id, last, version))
                if reading.is_erased:
                    return result  # what is not forgotten yet cannot be folded any more
            if reading.unfolded is not None:
                result.note(unfolded(child_id, reading.unfolded))
                return result
            await self._compare(child_id, reading.fold.folded(), documents, result)
        return result

    async def _reading(self, child_id: str, rules: Rules, version: int) -> "_Reading":
        """Of a child whose documents have reached `version`."""
        cipher = (await self.source.keyring.ciphers([child_id])).get(child_id)
        ends = await ends_at(
            self.source.store, child_id
        )  # behind the key: what destroyed it is there
        counting = ends if ends <= version else 0
        fold = ChildFold(cipher, self.source.index, rules, counting)
        return _Reading(child_id, fold, counting, is_erased=cipher is None)

    async def _walk(
        self, reading: "_Reading", version: int, result: Verification, seen: Seen
    ) -> int:
        """Read the whole stream once and fold it up to `version`; the version at which it ends."""
        chain, last = StreamPosition(), 0
        is_whole = True
        async for commits in pages(self.source.store, reading.child_id):
            try:
                chain = verify_chain(commits, chain) if is_whole else chain
            except ChainBroken as broken:
                result.note(broken_chain(broken))
                is_whole = False
            reading.take(events_of(commits), version)
            await seen(commits[-1].last_version - last)
            last = commits[-1].last_version
        return last

    async def _go_on(self, reading: "_Reading", version: int) -> None:
        """Fold up to `version`, too."""
        if reading.taken >= version:
            return
        following = relevant_pages(self.source.store, reading.child_id, reading.taken, reading.ends)
        async for events in following:
            reading.take(events, version)
            if reading.taken >= version:
                return

    async def _wait_until_caught_up(self, child_id: str, last: int, deadline: float) -> None:
        while time.monotonic() < deadline and await self.stored.version(child_id) < last:
            if await self.stored.dead_lettered([child_id]):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _compare(
        self, child_id: str, folded: Folded, found: Stored, result: Verification
    ) -> None:
        # read behind the first of the documents: whatever was purged by then lies behind it
        scope = Scope(self.models, await read_cutoff(self.database))
        expected = scope.of(documents_of(folded.view))
        if folded.unopened is not None:
            result.unopened[child_id] = str(folded.unopened)
            expected = without_opened(expected)
        left = dict(expected)
        for model, _ in expected:
            result.documents[model] += 1
        async for place, stored in found:
            if not scope.takes(place, stored):
                continue
            document = stored if folded.unopened is None else without_opened({place: stored})[place]
            result.add_document(place, document)
            for difference in compare_one(child_id, place, left.pop(place, None), document):
                result.note(difference)
        for place in sorted(left):
            for difference in compare_one(child_id, place, left[place], None):
                result.note(difference)


@dataclass(slots=True)
class _Reading:
    """What was folded of a child so far, up to version `taken`. `ends`: as of ChildFold."""

    child_id: str
    fold: ChildFold
    ends: int
    is_erased: bool
    taken: int = 0
    unfolded: Exception | None = None

    def take(self, events: Sequence[RecordedEvent], version: int) -> None:
        """Those that were not taken yet, up to `version`."""
        due = [event for event in events if self.taken < event.version <= version]
        if not due:
            return
        self.taken = due[-1].version
        if self.unfolded is None:
            try:
                self.fold.add(due)
            except UNREADABLE as error:
                self.unfolded = error
