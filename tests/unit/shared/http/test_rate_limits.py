from typing import Any

import pytest
from fakeredis import FakeAsyncRedis
from limits import parse

from shared.auth.access import Principal, RateClass, Role
from shared.http.limits import (
    AWAY_SECONDS,
    Counters,
    CountersWithFallback,
    MemoryCounters,
    RateLimits,
    redis_counters,
)
from tests.support.ports import free_port
from tests.support.rate_limits import Moments


@pytest.fixture(params=["memory", "redis"])
def counters(request: pytest.FixtureRequest) -> Counters:
    """In Redis: the library's storage and its script, over a server that is played in memory."""
    if request.param == "memory":
        return MemoryCounters(Moments())
    played = FakeAsyncRedis()
    return redis_counters("redis://played:6379", connection_pool=played.connection_pool)


async def test_every_key_has_its_own_count(counters: Counters):
    counts = [await counters.incr("a", 60) for _ in range(3)]
    assert counts == [1, 2, 3]
    assert await counters.incr("b", 60) == 1
    assert await counters.incr("a", 60, amount=5) == 8


async def test_in_memory_a_count_ends_with_its_life():
    moments = Moments()
    counters = MemoryCounters(moments)
    await counters.incr("a", 60)
    moments.now = 60
    assert await counters.incr("a", 60) == 1


async def test_in_memory_only_so_many_are_kept():
    counters = MemoryCounters(Moments(), most=2)
    for key in ("a", "b", "a", "c"):
        await counters.incr(key, 60)
    # when / then the one that was not used for the longest is gone
    assert await counters.incr("a", 60) == 3
    assert await counters.incr("b", 60) == 1


class Away:
    """A storage that is away until it is `back`; counts who tries it."""

    def __init__(self) -> None:
        self.tried = 0
        self.back = False

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self.tried += 1
        if not self.back:
            raise ConnectionError
        return 100


async def test_while_the_shared_storage_is_away_each_process_counts_for_itself():
    # given
    moments, shared = Moments(), Away()
    counters = CountersWithFallback(shared, MemoryCounters(moments), moments)
    # when
    assert [await counters.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    # then it is left alone for a while, and said to be away
    assert shared.tried == 1
    with pytest.raises(ConnectionError, match="has not answered recently"):
        await counters.check()
    # when it is back
    shared.back = True
    moments.now += AWAY_SECONDS
    # then
    assert await counters.incr("a", 60) == 100
    await counters.check()


async def test_a_redis_that_is_not_there_is_no_error():
    moments = Moments()
    nobody = redis_counters(f"redis://127.0.0.1:{free_port()}/0")
    counters = CountersWithFallback(nobody, MemoryCounters(moments), moments)
    assert [await counters.incr("a", 60) for _ in range(2)] == [1, 2]


BEAR, PARENT = Principal("bear-device-1", Role.DEVICE), Principal("parent-1", Role.PARENT)


class Storage:
    """What was counted, in which order, and how long each counter lives."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.lives: set[int] = set()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self.keys.append(key)
        self.lives.add(expiry)
        return self.keys.count(key)


def _limits(storage: Storage, moments: Moments, secret: bytes = b"secret") -> RateLimits:
    policies: dict[RateClass, Any] = {rate: parse("2/minute") for rate in RateClass}
    return RateLimits(policies, storage, moments, secret)


async def test_a_subject_is_counted_by_all_processes_and_named_to_none():
    # given
    storage, moments = Storage(), Moments()
    here, there = _limits(storage, moments), _limits(storage, moments)
    # when
    standings = [await each.spend(BEAR, RateClass.COMMANDS) for each in (here, there, here)]
    # then
    assert [standing.remaining for standing in standings] == [1, 0, -1]
    assert len(set(storage.keys)) == 1
    assert BEAR.subject not in storage.keys[0]
    assert storage.lives == {60}


async def test_no_two_windows_classes_or_subjects_have_the_same_counter():
    # given
    storage, moments = Storage(), Moments()
    limits = _limits(storage, moments)
    # when
    await limits.spend(BEAR, RateClass.COMMANDS)
    await limits.spend(BEAR, RateClass.QUERIES)
    await limits.spend(PARENT, RateClass.COMMANDS)
    await _limits(storage, moments, b"another").spend(BEAR, RateClass.COMMANDS)
    moments.now = 60
    await limits.spend(BEAR, RateClass.COMMANDS)
    # then
    assert len(set(storage.keys)) == 5
