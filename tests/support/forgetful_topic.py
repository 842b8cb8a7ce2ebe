"""A topic in memory that forgets, and what else a relay needs to publish to it without servers."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from command_service.relay.commit_feed import Batch
from command_service.relay.progress import Acknowledged, Checkpoint, Ends, Progress
from command_service.relay.relay import Relay
from shared.clock import utc_now
from shared.erasures import ErasureNotice
from shared.event_store.envelope import Commit, NewCommit, RecordedEvent
from tests.fakes.event_store import MemoryEventStore

Happening = Callable[[], None]


class ForgetfulTopic:
    """A partition for each child. `before` and `after` happen at the publication of that number,
    the first being 1; `read_up_to` is how far consumers had read what a partition lost."""

    def __init__(self, children: Sequence[str]) -> None:
        self._partition_of = {child_id: number for number, child_id in enumerate(children)}
        self._records: dict[int, list[RecordedEvent]] = {n: [] for n in range(len(children))}
        self.before: dict[int, Happening] = {}
        self.after: dict[int, Happening] = {}
        self.publications = 0
        self.read_up_to: Ends = dict.fromkeys(self._records, 0)

    def lose(self, partition: int, kept: int = 0) -> None:
        """All its records but the first `kept`; consumers had read them all."""
        records = self._records[partition]
        self.read_up_to[partition] = max(self.read_up_to[partition], len(records))
        self._records[partition] = records[:kept]

    def versions_found(self) -> dict[str, set[int]]:
        """By consumers that read on where they stood."""
        found: dict[str, set[int]] = defaultdict(set)
        for partition, records in self._records.items():
            for event in records[self.read_up_to[partition] :]:
                found[event.child_id].add(event.version)
        return found

    async def publish(self, events: Sequence[RecordedEvent]) -> list[Acknowledged]:
        self.publications += 1
        self.before.get(self.publications, _nothing)()
        acknowledged = []
        for event in events:
            partition = self._partition_of[event.child_id]
            records = self._records[partition]
            acknowledged.append(Acknowledged(partition, len(records), 1))
            records.append(event)
        self.after.get(self.publications, _nothing)()
        return acknowledged

    async def announce(self, erasures: Sequence[ErasureNotice]) -> None:
        assert not erasures

    async def ends(self) -> Ends:
        return {partition: len(records) for partition, records in self._records.items()}


class StoreWithFeed:
    """An event store whose commits come by a feed too, in batches of `size` commits."""

    def __init__(self, size: int) -> None:
        self.store = MemoryEventStore()
        self.size = size
        self._commits: list[Commit] = []
        self._grown = asyncio.Event()

    async def append(self, offer: NewCommit) -> Commit:
        commit = await self.store.append(offer)
        self._commits.append(commit)
        self._grown.set()
        return commit

    @asynccontextmanager
    async def open(self, after: dict[str, int] | None) -> AsyncIterator["_OpenFeed"]:
        yield _OpenFeed(self, len(self._commits) if after is None else after["commits"])

    async def commits_from(self, place: int) -> list[Commit]:
        while len(self._commits) <= place:
            self._grown.clear()
            await self._grown.wait()
        return self._commits[place : place + self.size]


class _OpenFeed:
    def __init__(self, feed: StoreWithFeed, place: int) -> None:
        self._feed = feed
        self._place = place

    @property
    def token(self) -> dict[str, int]:
        return {"commits": self._place}

    async def next_batch(self) -> Batch:
        commits = await self._feed.commits_from(self._place)
        self._place += len(commits)
        events = [event for commit in commits for event in commit.recorded_events()]
        return Batch(events, len(commits), self.token)


class _Checkpoints:
    def __init__(self) -> None:
        self.saved = Checkpoint()

    async def take(self, _fencing: int) -> Checkpoint:
        return self.saved

    async def save(self, _fencing: int, checkpoint: Checkpoint) -> None:
        self.saved = checkpoint


class _Lease:
    fencing = 1
    retry_seconds = 0.01
    remaining_seconds = 60.0

    async def acquire(self) -> bool:
        return True

    async def renew_if_due(self) -> None:
        return None

    async def release(self) -> None:
        return None


class _NobodyWasErased:
    async def run(self, _publisher: object) -> None:
        return None


def a_relay(source: StoreWithFeed, topic: ForgetfulTopic) -> tuple[Relay, Progress]:
    """It publishes what is in `source` to `topic`."""

    @asynccontextmanager
    async def publisher() -> AsyncIterator[ForgetfulTopic]:
        yield topic

    nothing: Any = defaultdict(lambda: None)
    progress = Progress(nothing, cast(Any, _Checkpoints()), utc_now)
    parts: Sequence[Any] = (_Lease(), progress, source, source.store, publisher, _NobodyWasErased())
    return Relay(*parts), progress


def _nothing() -> None:
    return None
