"""Children folded from streams of many pages, whoever waits, and kept in memory."""

import asyncio
from dataclasses import replace
from functools import partial, reduce

import pytest

from command_service.aggregates.repository import AggregateCache
from command_service.aggregates.snapshots import BEFORE_REGISTRATION, LoadedChild, Snapshots
from command_service.aggregates.stream_folding import (
    BESIDE_OTHERS,
    CHUNK,
    PAGE,
    WAITING_AT_MOST,
    StreamFolding,
)
from command_service.bus.errors import ChildLoading
from command_service.child.decider import CHANGES_NOTHING, evolve
from command_service.child.state import Child
from shared.event_store.envelope import Commit, StreamPosition
from shared.event_store.port import Snapshot, StoreUnavailable
from shared.keyring.key_file import FileKeyProvider
from shared.keyring.keyring import ChildCipher, Keyring
from shared.serialization.events import decode
from tests.fakes.event_store import MemoryEventStore, MemorySnapshotStore
from tests.fakes.keys import MemoryKeyStore
from tests.support.child_facts import REGISTERED, REPORTED
from tests.support.command_side import KEYS
from tests.support.event_samples import EVENTS
from tests.support.histories import write_histories
from tests.support.waiting import eventually, until

LONG = 3 * PAGE + 7
SEVERAL_PAGES = [0, *range(PAGE, LONG, BESIDE_OTHERS)]


class PagedStore(MemoryEventStore):
    """Tells after which version it was read; stops there while `open` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.read_after: list[int] = []
        self.fails_after: int | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        self.read_after.append(after_version)
        if after_version == self.fails_after:
            raise StoreUnavailable("no primary")
        if after_version:
            await self.open.wait()
        return await super().load(child_id, after_version, limit)


class Side:
    """One child with a long stream, and what folds it."""

    def __init__(self, patience_seconds: float = 60.0) -> None:
        self.store = PagedStore()
        self.keyring = Keyring(FileKeyProvider(KEYS), MemoryKeyStore())
        self.snapshots = MemorySnapshotStore()
        self.cache = AggregateCache(100, 10**9)
        taking = Snapshots(self.snapshots, self.store, every=200)
        self.folding = StreamFolding(self.store, taking, self.cache.put, patience_seconds)

    async def child(self, events: int = LONG) -> tuple[str, ChildCipher]:
        (child_id,) = await write_histories(self.store, self.keyring, 1, events)
        cipher = await self.keyring.cipher(child_id)
        assert cipher is not None
        return child_id, cipher

    async def folded_at_once(self, child_id: str, cipher: ChildCipher) -> Child:
        commits = await MemoryEventStore.load(self.store, child_id)
        events = (decode(e, cipher) for commit in commits for e in commit.recorded_events())
        return reduce(evolve, events, Child())


@pytest.mark.parametrize("events", [1, CHUNK, CHUNK + 1, PAGE - 1, PAGE, PAGE + 1, LONG])
async def test_a_stream_of_any_length_is_folded_as_if_at_once(events: int):
    side = Side()
    child_id, cipher = await side.child(events)
    loaded = await side.folding.catch_up(child_id, BEFORE_REGISTRATION, cipher)
    assert loaded.child == await side.folded_at_once(child_id, cipher)
    assert loaded.position.version == events


async def test_others_run_between_the_events_of_a_long_stream():
    # given
    side = Side()
    child_id, cipher = await side.child()
    turns = 0

    async def somebody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(somebody_else())
    # when
    await side.folding.catch_up(child_id, BEFORE_REGISTRATION, cipher)
    # then messages, most of the stream, are not even opened
    reported = LONG * 2 // 10
    assert turns >= reported / CHUNK
    other.cancel()


async def test_who_does_not_want_to_wait_comes_again_and_nothing_is_read_twice():
    # given a store that takes its time
    side = Side(patience_seconds=0.0)
    child_id, cipher = await side.child()
    side.store.open.clear()
    # when
    for _ in range(3):
        with pytest.raises(ChildLoading):
            await side.folding.catch_up(child_id, BEFORE_REGISTRATION, cipher)
    # then it goes on, once for all of them
    side.store.open.set()
    await eventually(lambda: _is_folded(side, child_id))
    assert side.store.read_after == SEVERAL_PAGES


async def test_what_was_folded_before_the_store_went_away_is_kept():
    # given
    side = Side()
    child_id, cipher = await side.child()
    side.store.fails_after = 2 * PAGE
    # when
    with pytest.raises(StoreUnavailable):
        await side.folding.catch_up(child_id, BEFORE_REGISTRATION, cipher)
    known = side.cache.get(child_id)
    # then
    assert known is not None
    assert known.position.version == 2 * PAGE
    side.store.fails_after = None
    assert (await side.folding.catch_up(child_id, known, cipher)).position.version == LONG
    until_it_failed = [after for after in SEVERAL_PAGES if after <= 2 * PAGE]
    assert side.store.read_after == [*until_it_failed, 2 * PAGE, 3 * PAGE, LONG]


async def test_what_was_folded_is_a_snapshot_for_other_processes():
    side = Side()
    child_id, cipher = await side.child()
    await side.folding.catch_up(child_id, BEFORE_REGISTRATION, cipher)
    snapshot = await side.snapshots.latest(child_id)
    assert snapshot is not None
    assert snapshot.version == LONG


async def test_of_what_is_known_only_the_rest_is_read():
    side = Side()
    child_id, cipher = await side.child()
    known = await side.folding.catch_up(child_id, BEFORE_REGISTRATION, cipher)
    again = await side.folding.catch_up(child_id, known, cipher)
    assert again == known
    assert side.store.read_after[-1] == LONG


async def test_a_store_that_is_away_is_no_child_that_is_loading():
    # given
    side = Side(patience_seconds=0.0)
    child_id, cipher = await side.child()

    class Away(MemorySnapshotStore):
        async def latest(self, child_id: str) -> Snapshot | None:
            raise StoreUnavailable("no primary")

    taking = Snapshots(Away(), side.store, every=200)
    folding = StreamFolding(side.store, taking, side.cache.put, patience_seconds=0.0)
    # when, then
    with pytest.raises(StoreUnavailable):
        await folding.catch_up(child_id, None, cipher)


async def test_only_so_many_long_streams_wait_at_a_time():
    # given
    side = Side(patience_seconds=0.0)
    children = [await side.child(PAGE) for _ in range(WAITING_AT_MOST + 1)]
    side.store.open.clear()
    # when
    for child_id, cipher in children:
        with pytest.raises(ChildLoading):
            await side.folding.catch_up(child_id, BEFORE_REGISTRATION, cipher)
    side.store.open.set()
    *begun, (refused, cipher) = children
    for child_id, _ in begun:
        await eventually(partial(_has_reached, side, child_id, PAGE))
    # then the last one was not begun, and has its turn when it comes again
    assert side.cache.get(refused) is None
    await eventually(lambda: _is_loaded(side, refused, cipher))


async def test_a_child_that_is_left_alone_is_loaded_no_further():
    # given
    side = Side(patience_seconds=60.0)
    child_id, cipher = await side.child()
    side.store.open.clear()
    asking = asyncio.create_task(side.folding.catch_up(child_id, BEFORE_REGISTRATION, cipher))
    await until(lambda: PAGE in side.store.read_after)
    # when
    await side.folding.abandon(child_id)
    side.store.open.set()
    # then
    with pytest.raises(ChildLoading):
        await asking
    assert side.store.read_after == [0, PAGE]


async def _is_loaded(side: Side, child_id: str, cipher: ChildCipher) -> bool:
    try:
        known = side.cache.get(child_id) or BEFORE_REGISTRATION
        await side.folding.catch_up(child_id, known, cipher)
    except ChildLoading:
        return False
    return True


async def _has_reached(side: Side, child_id: str, version: int) -> bool:
    known = side.cache.get(child_id)
    return known is not None and known.position.version == version


async def _is_folded(side: Side, child_id: str) -> bool:
    return await _has_reached(side, child_id, LONG)


def test_what_is_left_out_changes_nothing():
    child = Child(parent_id="parent-1")
    left_out = [event for event in EVENTS if type(event) in CHANGES_NOTHING]
    assert len(left_out) == len(CHANGES_NOTHING)
    assert all(evolve(child, event) is child for event in left_out)


ROOM = 10**9


def loaded(version: int, child: Child | None = None) -> LoadedChild:
    return LoadedChild(child or Child(), StreamPosition(version, f"hash-{version}"), version)


def with_violations(number: int) -> Child:
    reports = [replace(REPORTED, violation_id=f"violation-{n}") for n in range(number)]
    return reduce(evolve, reports, Child())


def size_of(child: Child) -> int:
    """What a cache says of it alone."""
    cache = AggregateCache(max_entries=1, max_bytes=ROOM)
    cache.put("a", loaded(1, child))
    return cache.bytes


def test_the_least_recently_used_goes_first():
    # given
    cache = AggregateCache(max_entries=2, max_bytes=ROOM)
    cache.put("a", loaded(1))
    cache.put("b", loaded(1))
    cache.get("a")
    # when
    cache.put("c", loaded(1))
    # then
    assert cache.get("a") is not None
    assert cache.get("b") is None


def test_what_is_older_evicted_or_has_no_room_is_not_kept():
    cache = AggregateCache(max_entries=2, max_bytes=ROOM)
    cache.put("a", loaded(3))
    cache.put("a", loaded(2))
    assert cache.get("a") == loaded(3)
    cache = AggregateCache(max_entries=0, max_bytes=ROOM)
    cache.put("a", loaded(1))
    assert cache.get("a") is None
    cache = AggregateCache(max_entries=2, max_bytes=ROOM)
    cache.put("a", loaded(1))
    cache.evict("a")
    cache.evict("a")
    assert cache.get("a") is None


def test_a_heavy_child_takes_the_place_of_many():
    cache = AggregateCache(max_entries=100, max_bytes=4 * size_of(Child()))
    for name in "abc":
        cache.put(name, loaded(1))
    cache.put("heavy", loaded(1, with_violations(40)))
    assert [name for name in ("a", "b", "c", "heavy") if cache.get(name)] == ["heavy"]
    assert cache.bytes == size_of(with_violations(40))


def test_the_newest_stays_whatever_it_weighs():
    cache = AggregateCache(max_entries=100, max_bytes=1)
    cache.put("a", loaded(1, with_violations(3)))
    cache.put("b", loaded(1))
    assert cache.get("a") is None
    assert cache.get("b") is not None


def test_what_grows_weighs_more_and_what_is_gone_nothing():
    # given
    cache = AggregateCache(max_entries=2, max_bytes=ROOM)
    sizes = []
    # when
    for version in range(3):
        cache.put("a", loaded(version, with_violations(version)))
        sizes.append(cache.bytes)
    cache.put("b", loaded(1))
    cache.put("c", loaded(1))
    cache.evict("b")
    cache.evict("c")
    # then
    assert sizes == sorted(set(sizes))
    assert cache.bytes == 0


def test_what_a_parent_wrote_weighs_too_and_is_weighed_anew():
    assert size_of(evolve(Child(), REGISTERED)) > size_of(Child())
    cache = AggregateCache(max_entries=2, max_bytes=ROOM)
    registered = evolve(Child(), REGISTERED)
    cache.put("a", loaded(1))
    cache.put("a", loaded(2, registered))
    cache.put("a", loaded(3, registered))
    assert cache.bytes == size_of(registered)
