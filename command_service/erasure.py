"""Erasure on the write side: the command, the steps that follow it, and the sweep that repeats
them for whoever an older copy of a database brought back.

Three places know who is erased: the streams, the list beside the keys, the topic of erasures. What
one of them knows is true; the sweep brings it to the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from command_service.aggregates.child_tasks import ChildTasks
from command_service.aggregates.repository import Aggregates
from command_service.aggregates.stream_folding import PATIENCE_SECONDS
from command_service.bus.command_bus import CommandContext, CommandResult
from command_service.bus.errors import ChildLoading
from command_service.child.commands import EraseChild
from command_service.handlers.decide_and_append import DecideAndAppend
from shared.clock import Clock, NewId
from shared.erasures import ErasureNotice
from shared.event_store.envelope import Actor, Causality, Commit, NewCommit
from shared.event_store.port import (
    ClaimStore,
    EventStore,
    SnapshotStore,
    StoreUnavailable,
    VersionConflict,
)
from shared.events.child import ERASED, ChildErased
from shared.keyring.erased_list import ErasedChild, ErasedList, ErasureStep, StepDone
from shared.keyring.key_store import KeyStore
from shared.keyring.keyring import Keyring
from shared.serialization.events import encode

WRITE_SIDE = {ErasureStep.KEY, ErasureStep.CLAIMS, ErasureStep.SNAPSHOTS}

PAGE = 1_000
ATTEMPTS = 5
AGAIN = Actor("relay", "system")
"""Who erases again after a restore; nobody asked at that moment."""

log = structlog.get_logger(__name__)

ReadErasures = Callable[[], Awaitable[Mapping[str, datetime]]]


@dataclass(frozen=True, slots=True)
class ErasureCompletion:
    """The steps of the write side, in their order: first of all the child is on the list, so that
    whatever a crash leaves over is found. The worker does the rest when the event reaches it."""

    erased: ErasedList
    keys: KeyStore
    claims: ClaimStore
    snapshots: SnapshotStore
    events: EventStore
    clock: Clock

    async def complete(self, commit: Commit) -> None:
        """Remove what is left of the child whose stream `commit` ends. Raises StoreUnavailable."""
        await self.erased.add(ErasedChild.of(commit))
        await self.remove(commit.child_id)
        # last: in a long stream it takes longest, and nothing waits for it
        older = await self.events.older_content(commit.child_id)
        await self.erased.add(ErasedChild.of(commit, older))

    async def remove(self, child_id: str) -> None:
        """The steps alone, e.g. for a child that has no stream. Raises StoreUnavailable."""
        await self._record(child_id, ErasureStep.KEY, await self.keys.destroy(child_id))
        await self._record(child_id, ErasureStep.CLAIMS, await self.claims.remove_of(child_id))
        await self._record(child_id, ErasureStep.SNAPSHOTS, await self.snapshots.delete(child_id))

    async def whole(self, child_ids: Collection[str]) -> set[str]:
        """Those of whom no step is left to do: ended, listed, and nothing of theirs there."""
        ended, listed, destroyed, kept, held = await asyncio.gather(
            self.events.erased_among(child_ids),
            self._listed_wholly(child_ids),
            self.keys.destroyed(child_ids),
            self.snapshots.kept_of(child_ids),
            self.claims.held_by(child_ids),
        )
        return (ended & listed & destroyed) - kept - held

    async def _listed_wholly(self, child_ids: Collection[str]) -> set[str]:
        """Those who are on the list with every step of the write side, and with what was looked
        for in their commits."""
        return {
            child.child_id
            for child in await self.erased.find(child_ids)
            if child.steps.keys() >= WRITE_SIDE and child.older is not None
        }

    async def _record(self, child_id: str, step: ErasureStep, removed: int) -> None:
        await self.erased.record(child_id, step, StepDone(self.clock(), int(removed)))


class Announcer(Protocol):
    async def announce(self, erasures: Sequence[ErasureNotice]) -> None:
        """Put them on the topic of erasures; returns once that is acknowledged."""


class ErasureSweep:
    """Erases again whoever an older copy of a database brought back."""

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
        announced = await self._read_erasures()
        everybody = await self._everybody(announced)
        again = 0
        for first in range(0, len(everybody), PAGE):
            page = everybody[first : first + PAGE]
            whole = await self._completion.whole(page)
            for child_id in (each for each in page if each not in whole):
                await self._erase(child_id, announced.get(child_id))
                again += 1
            missing = [child_id for child_id in page if child_id not in announced]
            listed = await self._completion.erased.find(missing) if missing else []
            await announcer.announce([ErasureNotice(child.child_id, child.at) for child in listed])
        log.info("erasures_checked", erased=len(everybody), again=again)
        return again

    async def _everybody(self, announced: Mapping[str, datetime]) -> list[str]:
        known, after = set(announced), ""
        while page := await self._completion.erased.page(after, PAGE):
            after = page[-1].child_id
            known.update(child.child_id for child in page)
        after = ""
        while ended := await self._store.erased(after, PAGE):
            after = ended[-1]
            known.update(ended)
        return sorted(known)

    async def _erase(self, child_id: str, at: datetime | None) -> None:
        commit = await self._ending(child_id, at)
        if commit is None:
            await self._completion.remove(child_id)
        else:
            await self._completion.complete(commit)
        log.warning("erasure_reapplied", child_id=child_id, stream=commit is not None)

    async def _ending(self, child_id: str, at: datetime | None) -> Commit | None:
        """The commit that ends the stream, appended where it lacks; None without a stream."""
        for _ in range(ATTEMPTS):
            last = await self._store.last(child_id)
            if last is None or last.events[-1].type == ERASED:
                return last
            try:
                return await self._append(last, at or self._clock())
            except VersionConflict:
                log.info("child_changed_during_erasure", child_id=child_id)
        raise StoreUnavailable(f"child {child_id} changes too fast to be erased")

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


class EraseChildHandler:
    """Never waits for the child's stream to be folded: the outline holds all that it needs."""

    def __init__(
        self,
        decide_and_append: DecideAndAppend,
        store: EventStore,
        completion: ErasureCompletion,
        aggregates: Aggregates,
        keyring: Keyring,
    ) -> None:
        self._decide_and_append = decide_and_append
        self._store = store
        self._completion = completion
        self._aggregates = aggregates
        self._keyring = keyring
        self._completing = ChildTasks[None]("erasure_incomplete")

    async def handle(self, command: EraseChild, context: CommandContext) -> CommandResult:
        """Asked again, it completes what a crash or an absent store left over. Raises ChildLoading
        while that goes on: to read a long life for what it holds of earlier releases takes time."""
        change = await self._decide_and_append(command, context, load=self._aggregates.outline)
        child_id = command.child_id
        if (task := self._completing.get(child_id)) is None:
            task = self._completing.begin(child_id, self._complete(child_id, change.result.version))
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        if not task.done():
            raise ChildLoading
        task.result()
        return change.result

    async def _complete(self, child_id: str, version: int) -> None:
        await self._forget(child_id)
        if await self._completion.whole([child_id]):
            return  # by whom an earlier request began: one that came too early asks again
        # the commit that ends the stream, for ever
        for commit in await self._store.load(child_id, version - 1):
            await self._completion.complete(commit)
        await self._forget(child_id)

    async def _forget(self, child_id: str) -> None:
        self._keyring.forget(child_id)
        await self._aggregates.forget(child_id)
