"""Chooses events of the store: by child, time of recording and type."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from projection_worker.replay.refusals import NotFound
from shared.envelope import Commit, RecordedEvent
from shared.event_store.pages import pages
from shared.event_store.port import EventStore


@dataclass(frozen=True, slots=True)
class Selection:
    """What is None does not narrow. Recorded from `since` to before `until`."""

    child_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    types: frozenset[str] = frozenset()

    async def events(
        self, store: EventStore, seen: Callable[[int], None] = lambda _: None
    ) -> AsyncIterator[RecordedEvent]:
        """By child, then by version; one batch of the store in memory at a time. `seen` is told of
        all events that were read."""
        async for commit in self._commits(store):
            seen(len(commit.events))
            if self._holds(commit):
                for event in commit.recorded_events():
                    if not self.types or event.type in self.types:
                        yield event

    async def _commits(self, store: EventStore) -> AsyncIterator[Commit]:
        if self.child_id is None:
            async for commit in store.scan():
                yield commit
        else:
            async for commits in pages(store, self.child_id):
                for commit in commits:
                    yield commit

    def _holds(self, commit: Commit) -> bool:
        after = self.since is None or commit.recorded_at >= self.since
        return after and (self.until is None or commit.recorded_at < self.until)


async def events_of_child(store: EventStore, child_id: str) -> int:
    """How many there are. Raises NotFound."""
    last = await store.last(child_id)
    if last is None:
        raise NotFound(f"no child {child_id} is in the event store")
    return last.last_version
