"""Folded children in memory."""

from dataclasses import replace
from functools import reduce

from command_service.aggregates.repository import AggregateCache
from command_service.aggregates.snapshots import LoadedChild
from command_service.child.decider import evolve
from command_service.child.state import Child
from shared.event_store.envelope import StreamPosition
from tests.support.child_facts import REGISTERED, REPORTED

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


def test_an_older_state_does_not_replace_a_newer_one():
    cache = AggregateCache(max_entries=2, max_bytes=ROOM)
    cache.put("a", loaded(3))
    cache.put("a", loaded(2))
    assert cache.get("a") == loaded(3)


def test_a_cache_of_no_entries_keeps_nothing():
    cache = AggregateCache(max_entries=0, max_bytes=ROOM)
    cache.put("a", loaded(1))
    assert cache.get("a") is None


def test_what_is_evicted_is_gone():
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


def test_what_a_parent_wrote_weighs_too():
    assert size_of(evolve(Child(), REGISTERED)) > size_of(Child())


def test_a_changed_profile_is_weighed_anew():
    cache = AggregateCache(max_entries=2, max_bytes=ROOM)
    registered = evolve(Child(), REGISTERED)
    cache.put("a", loaded(1))
    cache.put("a", loaded(2, registered))
    cache.put("a", loaded(3, registered))
    assert cache.bytes == size_of(registered)
