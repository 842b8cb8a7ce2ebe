"""Folded children in memory."""

from command_service.domain.child.state import Child
from command_service.handlers.aggregate_cache import AggregateCache, LoadedChild
from shared.envelope import StreamPosition


def loaded(version: int) -> LoadedChild:
    return LoadedChild(Child(), StreamPosition(version, f"hash-{version}"), version)


def test_the_least_recently_used_goes_first():
    # given
    cache = AggregateCache(max_entries=2)
    cache.put("a", loaded(1))
    cache.put("b", loaded(1))
    cache.get("a")
    # when
    cache.put("c", loaded(1))
    # then
    assert cache.get("a") is not None
    assert cache.get("b") is None


def test_an_older_state_does_not_replace_a_newer_one():
    # given
    cache = AggregateCache(max_entries=2)
    cache.put("a", loaded(3))
    # when
    cache.put("a", loaded(2))
    # then
    assert cache.get("a") == loaded(3)


def test_a_cache_of_no_entries_keeps_nothing():
    cache = AggregateCache(max_entries=0)
    cache.put("a", loaded(1))
    assert cache.get("a") is None


def test_what_is_evicted_is_gone():
    cache = AggregateCache(max_entries=2)
    cache.put("a", loaded(1))
    cache.evict("a")
    cache.evict("a")
    assert cache.get("a") is None
