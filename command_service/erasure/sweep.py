"""Erases again whoever an older copy of a database brought back.

Three places tell who is erased: the streams, the list beside the keys, the topic of erasures. What
one of them knows is true; it is brought to the others.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from command_service.erasure.completion import ErasureCompletion
from shared.clock import Clock, NewId
from shared.codec import encode
from shared.envelope import Actor, Causality, Commit, NewCommit
from shared.erasures.notice import ERASED, ErasureNotice
from shared.event_store.port import EventStore, StoreUnavailable, VersionConflict
from shared.events.child import ChildErased

PAGE = 1_000
ATTEMPTS = 5
AGAIN = Actor("relay", "system")
"""Who erases again after a restore; nobody asked at that moment."""

log = structlog.get_logger(__name__)

ReadErasures = Callable[[], Awaitable[Mapping[str, datetime]]]


class Announcer(Protocol):
    async def announce(self, erasures: Sequence[ErasureNotice]) -> None:
        """Put them on the topic of erasures; returns once that is acknowledged."""


class ErasureSweep:
    def __init__(
        self,
        store: EventStore,
        completion: ErasureCompletion,
        read_erasures: ReadErasures,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._store = store
        self._completion = completion
        self._read_erasures = read_erasures
        self._clock = clock
        self._new_id = new_id

    async def run(self, announcer: Announcer) -> int:
        """How many were not wholly erased any more. Raises StoreUnavailable or KafkaError."""
        told = await self._read_erasures()
        everybody = await self._everybody(told)
        again = 0
        for first in range(0, len(everybody), PAGE):
            page = everybody[first : first + PAGE]
            for child_id in await self._not_wholly_erased(page):
                await self._erase(child_id, told.get(child_id))
                again += 1
            await self._announce([one for one in page if one not in told], announcer)
        log.info("erasures_swept", erased=len(everybody), again=again)
        return again

    async def _everybody(self, told: Mapping[str, datetime]) -> list[str]:
        known, after = set(told), ""
        while page := await self._completion.erased.page(after, PAGE):
            after = page[-1].child_id
            known.update(child.child_id for child in page)
        after = ""
        while ended := await self._store.erased(after, PAGE):
            after = ended[-1]
            known.update(ended)
        return sorted(known)

    async def _not_wholly_erased(self, page: Sequence[str]) -> list[str]:
        """One question a place for the whole page."""
        ended = await self._store.erased_among(page)
        listed = {one.child_id for one in await self._completion.listed_wholly(page)}
        destroyed = await self._completion.keys.destroyed(page)
        left = await self._completion.snapshots.kept_of(page)
        left |= await self._completion.claims.held_by(page)
        whole = (ended & listed & destroyed) - left
        return [child_id for child_id in page if child_id not in whole]

    async def _erase(self, child_id: str, at: datetime | None) -> None:
        commit = await self._ending(child_id, at)
        if commit is None:
            await self._completion.remove(child_id)
        else:
            await self._completion.complete(commit)
        log.warning("erased_again", child_id=child_id, stream=commit is not None)

    async def _ending(self, child_id: str, at: datetime | None) -> Commit | None:
        """The commit that ends the stream, appended where it lacks; None without a stream."""
        for _ in range(ATTEMPTS):
            last = await self._store.last(child_id)
            if last is None or last.events[-1].type == ERASED:
                return last
            try:
                return await self._append(last, at or self._clock())
            except VersionConflict:
                log.info("child_moved_on", child_id=child_id)
        raise StoreUnavailable(f"child {child_id} changes faster than it is erased")

    async def _append(self, last: Commit, at: datetime) -> Commit:
        event = ChildErased(child_id=last.child_id, at=at)
        offer = NewCommit(
            child_id=last.child_id,
            expected=last.position,
            events=(encode(event, last.last_version + 1, None),),
            recorded_at=self._clock(),
            actor=AGAIN,
            causality=Causality(self._new_id()),
        )
        return await self._store.append(offer)

    async def _announce(self, untold: Sequence[str], announcer: Announcer) -> None:
        listed = await self._completion.erased.find(untold) if untold else []
        await announcer.announce([ErasureNotice(one.child_id, one.at) for one in listed])
