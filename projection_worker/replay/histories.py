"""The event store a child at a time, and some children at a time."""

from collections.abc import AsyncIterator

from shared.envelope import Commit, after_all_commits
from shared.event_store.port import EventStore

Stream = list[Commit]
"""All commits of one child, in order."""


async def streams(store: EventStore, after: str = "", through: str = "") -> AsyncIterator[Stream]:
    """The streams of the children behind `after` up to and with `through` (empty: no bound)."""
    stream: Stream = []
    async for commit in store.scan(after or None):
        if stream and stream[0].child_id != commit.child_id:
            yield stream
            stream = []
        if through and after_all_commits(commit.child_id) > after_all_commits(through):
            break
        stream.append(commit)
    if stream:
        yield stream


async def in_batches(
    of: AsyncIterator[Stream], most_events: int
) -> AsyncIterator[tuple[list[Stream], int]]:
    """Streams together until they hold `most_events` events; with how many they hold."""
    batch: list[Stream] = []
    events = 0
    async for stream in of:
        batch.append(stream)
        events += stream[-1].last_version
        if events >= most_events:
            yield batch, events
            batch, events = [], 0
    if batch:
        yield batch, events
