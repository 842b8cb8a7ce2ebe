"""Snapshots of children with many ids: taken behind the command, and read by a task."""

import pytest

from command_service.aggregates.repository import AggregateCache, Aggregates
from command_service.aggregates.snapshots import IDS_AN_EVENT, IDS_AT_ONCE, LoadedChild
from command_service.bus.errors import ChildLoading
from shared.event_store.envelope import Actor, Causality, NewCommit
from shared.keyring.key_file import FileKeyProvider
from shared.keyring.keyring import Keyring
from shared.serialization.events import encode
from tests.fakes.keys import MemoryKeyStore
from tests.support.child_facts import ADA, ALLOWED, ERASED, NOON
from tests.support.command_side import KEYS
from tests.support.snapshot_side import POSITION, Side, folded, with_open_violations
from tests.support.waiting import eventually


async def test_a_command_does_not_wait_for_the_snapshot_of_a_large_child():
    # given
    side = Side()
    side.store.open.clear()
    child = with_open_violations(IDS_AT_ONCE + 1)
    # when
    loaded = await side.take(child)
    # then
    assert loaded.since_snapshot == 0
    assert not side.store.saved
    side.store.open.set()
    await eventually(side.is_saved)
    assert await side.read() == child


async def test_of_one_child_one_snapshot_is_taken_at_a_time():
    # given
    side = Side()
    side.store.open.clear()
    child = with_open_violations(IDS_AT_ONCE + 1)
    await side.take(child)
    await side.store.asked.wait()
    # when
    again = await side.take(child)
    # then it is due as before
    assert again.since_snapshot == 10**6
    side.store.open.set()
    await eventually(side.is_saved)


async def test_a_child_that_keeps_more_has_its_snapshots_less_often():
    # given
    side = Side(every=2)
    ids = 10 * IDS_AN_EVENT
    child = with_open_violations(ids)
    # when, then
    early = await side.take(child, since=9)
    assert (early.since_snapshot, side.store.saved) == (9, [])
    assert (await side.take(child, since=10)).since_snapshot == 0
    assert (await side.take(with_open_violations(1), since=2)).since_snapshot == 0


async def test_what_is_left_alone_is_not_saved():
    # given
    side = Side()
    side.store.open.clear()
    await side.take(with_open_violations(IDS_AT_ONCE + 1))
    await side.store.asked.wait()
    # when
    await side.snapshots.abandon(ADA)
    side.store.open.set()
    # then
    assert not side.store.saved
    await side.snapshots.abandon(ADA)  # nothing is being taken any more


async def test_of_a_child_who_was_erased_meanwhile_no_snapshot_stays():
    # given an erasure by another process, after this one has folded the child
    side = Side()
    await side.events.append(
        NewCommit(
            child_id=ADA,
            expected=POSITION,
            events=(encode(ERASED, POSITION.version + 1, None),),
            recorded_at=NOON,
            actor=Actor("parent-ada", "parent"),
            causality=Causality("correlation-1"),
        )
    )
    # when
    await side.take(with_open_violations(1))
    # then
    assert side.store.saved
    assert not await side.store.kept_of([ADA])


async def test_no_snapshot_is_taken_of_an_erased_child():
    side = Side()
    await side.take(folded(*ALLOWED, ERASED))
    assert not side.store.saved


async def test_whoever_asks_while_a_large_snapshot_is_read_comes_again():
    # given
    side = Side(part_bytes=1_000)
    keyring = Keyring(FileKeyProvider(KEYS), MemoryKeyStore())
    cipher = await keyring.create(ADA)
    child = with_open_violations(100)
    loaded = LoadedChild(child, POSITION, 10**6)
    await side.snapshots.take_if_due(ADA, loaded, cipher)
    aggregates = Aggregates(
        side.events, keyring, side.snapshots, AggregateCache(10, 10**9), patience_seconds=0.0
    )
    side.store.open.clear()
    # when
    for _ in range(3):
        with pytest.raises(ChildLoading):
            await aggregates.current(ADA)
    side.store.open.set()

    async def is_read() -> bool:
        return aggregates.remembered(ADA) is not None

    await eventually(is_read)
    # then
    current = await aggregates.current(ADA)
    assert current is not None
    assert (current.child, current.position) == (child, POSITION)
