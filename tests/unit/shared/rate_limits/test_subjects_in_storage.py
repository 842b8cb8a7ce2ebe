"""A storage of counters learns nothing of whom it counts."""

from typing import Any

from limits import parse

from shared.auth.access import Principal, RateClass, Role
from shared.http.rate_limits import RateLimits
from tests.support.rate_limits import Moments

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
