"""Commits without events: they keep the key of a command that changed nothing, and no place."""

import asyncio

import pytest

from shared.event_store.envelope import Commit, StreamPosition
from shared.event_store.port import AlreadyCommitted, VersionConflict
from tests.contract.conftest import Stores
from tests.support.commits import an_offer


async def test_it_is_found_by_its_key_and_in_no_stream(stores: Stores) -> None:
    # given
    first = await stores.events.append(an_offer("child-1"))
    # when
    kept = await stores.events.append(an_offer("child-1", first.position, events=0, key="key-1"))
    # then
    assert await stores.events.find_by_idempotency_key("key-1") == kept
    assert (kept.events, kept.last_version) == ((), 1)
    assert await stores.events.load("child-1") == [first]
    assert await stores.events.load("child-1", after_version=1) == []
    assert [commit async for commit in stores.events.scan()] == [first]
    assert await stores.events.erased_among(["child-1"]) == set()
    assert await stores.events.erased("", 10) == []


async def test_it_stands_in_no_stream_s_way(stores: Stores) -> None:
    # given
    first = await stores.events.append(an_offer("child-1"))
    await stores.events.append(an_offer("child-1", first.position, events=0, key="key-1"))
    # when
    second = await stores.events.append(an_offer("child-1", first.position, key="key-2"))
    # then
    assert await stores.events.load("child-1") == [first, second]
    with pytest.raises(VersionConflict):
        await stores.events.append(an_offer("child-1", first.position, key="key-3"))


async def test_it_is_kept_also_where_the_stream_moved_on(stores: Stores) -> None:
    # given
    first = await stores.events.append(an_offer("child-1"))
    await stores.events.append(an_offer("child-1", first.position))
    # when: it was decided before the second commit was there
    kept = await stores.events.append(an_offer("child-1", first.position, events=0, key="key-1"))
    # then
    assert kept.last_version == 1


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0), (0, 0)])
async def test_a_key_is_stored_once_with_events_or_without(
    stores: Stores, first: int, second: int
) -> None:
    # given
    start = (await stores.events.append(an_offer("child-1"))).position
    stored = await stores.events.append(an_offer("child-1", start, events=first, key="key-1"))
    # when
    with pytest.raises(AlreadyCommitted) as refused:
        await stores.events.append(an_offer("child-2", StreamPosition(), second, key="key-1"))
    # then
    assert refused.value.commit == stored
    assert await stores.events.load("child-2") == []


async def test_of_fifty_at_once_under_one_key_that_decided_differently_one_is_stored(
    stores: Stores,
) -> None:
    # given
    start = (await stores.events.append(an_offer("child-1"))).position
    offers = [an_offer("child-1", start, events=number % 2, key="key-1") for number in range(50)]
    # when
    outcomes = await asyncio.gather(
        *(stores.events.append(offer) for offer in offers), return_exceptions=True
    )
    # then
    (stored,) = [outcome for outcome in outcomes if isinstance(outcome, Commit)]
    others = [outcome for outcome in outcomes if isinstance(outcome, AlreadyCommitted)]
    assert len(others) == 49
    assert all(outcome.commit == stored for outcome in others)
    assert len(await stores.events.load("child-1")) == 1 + len(stored.events)


async def test_the_same_offer_made_again_finds_itself(stores: Stores) -> None:
    # given a caller that did not hear back
    start = (await stores.events.append(an_offer("child-1"))).position
    offer = an_offer("child-1", start, events=0, key="key-1")
    kept = await stores.events.append(offer)
    # when, then
    assert await stores.events.append(offer) == kept


async def test_it_needs_a_key(stores: Stores) -> None:
    with pytest.raises(ValueError, match="needs an idempotency key"):
        await stores.events.append(an_offer("child-1", events=0))


async def test_a_scan_in_small_batches_passes_over_them(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr("shared.event_store.mongo.SCAN_BATCH", 2)
    children = [f"child-{number}" for number in range(5)]
    for child_id in children:
        first = await stores.events.append(an_offer(child_id))
        for number in range(3):
            key = f"{child_id}-{number}"
            await stores.events.append(an_offer(child_id, first.position, events=0, key=key))
    # when
    scanned = [commit.child_id async for commit in stores.events.scan()]
    resumed = [commit.child_id async for commit in stores.events.scan(after_child="child-1")]
    # then
    assert (scanned, resumed) == (children, children[2:])
