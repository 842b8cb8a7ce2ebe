"""Chooses events of the store: by child, time of recording and type."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from shared.envelope import Commit, RecordedEvent
from shared.event_store.port import EventStore


@dataclass(frozen=True, slots=True)
class Selection:
    """What is None does not narrow. Recorded from `since` to before `until`."""

    child_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    types: frozenset[str] = frozenset()

    async def events(self, store: EventStore) -> AsyncIterator[RecordedEvent]:
        """By child, then by version; one batch of the store in memory at a time."""
        async for commit in self._commits(store):
            if self._holds(commit):
                for event in commit.recorded_events():
                    if not self.types or event.type in self.types:
                        yield event

    async def _commits(self, store: EventStore) -> AsyncIterator[Commit]:
        if self.child_id is None:
            async for commit in store.scan():
                yield commit
        else:
            for commit in await store.load(self.child_id):
                yield commit

    def _holds(self, commit: Commit) -> bool:
        after = self.since is None or commit.recorded_at >= self.since
        return after and (self.until is None or commit.recorded_at < self.until)
