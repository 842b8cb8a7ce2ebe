"""The event store a child at a time, some children at a time, or chosen by child, time and type."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from projection_worker.session import NotFound
from shared.event_store.envelope import Commit, RecordedEvent, after_all_commits
from shared.event_store.port import PAGE, EventStore, pages
from shared.events.child import ERASED

LONGEST = PAGE
"""Commits of a stream that is held whole."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One child's commits, in order; of a long stream only how it begins."""

    commits: Sequence[Commit]
    is_whole: bool = True

    @property
    def child_id(self) -> str:
        return self.commits[0].child_id

    @property
    def last_version(self) -> int:
        """Of what is held."""
        return self.commits[-1].last_version

    @property
    def events(self) -> list[RecordedEvent]:
        """Those that are held."""
        return events_of(self.commits)


def events_of(commits: Sequence[Commit]) -> list[RecordedEvent]:
    return [event for commit in commits for event in commit.recorded_events()]


async def streams(
    store: EventStore, after: str = "", through: str = "", longest: int | None = None
) -> AsyncIterator[Stream]:
    """The streams of the children behind `after` up to and with `through` (empty: no bound), whole
    up to `longest` commits (`LONGEST`)."""
    stream: Stream | None = None
    while True:
        async for stream in _up_to_a_long_one(store, after, through, longest or LONGEST):
            yield stream
        if stream is None or stream.is_whole:
            return
        after, stream = stream.child_id, None


async def stream_of(store: EventStore, child_id: str, longest: int | None = None) -> Stream | None:
    """None where the store knows no such child. `longest` as of `streams`."""
    longest = longest or LONGEST
    commits = await store.load(child_id, limit=longest + 1)
    return Stream(commits, len(commits) <= longest) if commits else None


async def in_batches(
    of: AsyncIterator[Stream], most_events: int
) -> AsyncIterator[tuple[list[Stream], int]]:
    """Streams together until they hold `most_events` events, a long one alone; with how many they
    hold."""
    batch: list[Stream] = []
    events = 0
    async for stream in of:
        if batch and not stream.is_whole:
            yield batch, events
            batch, events = [], 0
        batch.append(stream)
        events += stream.last_version
        if events >= most_events or not stream.is_whole:
            yield batch, events
            batch, events = [], 0
    if batch:
        yield batch, events


async def ends_at(store: EventStore, child_id: str) -> int:
    """The version by which the child was erased; 0 for one that is not."""
    erasure = (await store.erasures([child_id])).get(child_id)
    if erasure is None:
        return 0
    return max(event.version for event in erasure.recorded_events() if event.type == ERASED)


async def relevant_pages(
    store: EventStore, child_id: str, after: int = 0, ends: int = 0
) -> AsyncIterator[list[RecordedEvent]]:
    """The child's events behind version `after`, a page at a time; of one that was erased at
    version `ends` only how its stream begins, and everything from its end on."""
    if after == 0 and ends > 1:
        (first,) = await store.load(child_id, limit=1)
        yield [event for event in first.recorded_events() if event.version == 1]
    async for commits in pages(store, child_id, max(after, ends - 1)):
        if events := [e for e in events_of(commits) if e.version > max(after, ends - 1)]:
            yield events


async def _up_to_a_long_one(
    store: EventStore, after: str, through: str, longest: int
) -> AsyncIterator[Stream]:
    """As `streams`, and ends behind the first that is not whole."""
    commits: list[Commit] = []
    async for commit in store.scan(after or None):
        if commits and commits[0].child_id != commit.child_id:
            yield Stream(commits)
            commits = []
        if through and after_all_commits(commit.child_id) > after_all_commits(through):
            break
        commits.append(commit)
        if len(commits) > longest:
            yield Stream(commits, is_whole=False)
            return
    if commits:
        yield Stream(commits)


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
        """By child, then by version; one batch of the store in memory at a time. `seen` takes how
        many were read."""
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
