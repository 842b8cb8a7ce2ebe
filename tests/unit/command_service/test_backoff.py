"""Trying again while the store is briefly away."""

import pytest

from command_service.bus.resilience import Backoff
from shared.event_store.port import StoreUnavailable


class World:
    """A clock that only sleeping and trying move, and a store that fails `failures` times."""

    def __init__(self, failures: int, try_seconds: float = 0.0) -> None:
        self.failures = failures
        self.try_seconds = try_seconds
        self.now = 0.0
        self.tries = 0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def attempt(self) -> str:
        self.tries += 1
        self.now += self.try_seconds
        if self.tries <= self.failures:
            raise StoreUnavailable("no primary")
        return "done"

    def backoff(self, jitter: float = 0.0) -> Backoff:
        return Backoff(sleep=self.sleep, monotonic=lambda: self.now, jitter=lambda: jitter)


async def test_a_short_absence_is_not_noticed():
    world = World(failures=2)
    assert await world.backoff().run(world.attempt) == "done"
    assert world.pauses == [0.1, 0.2]


async def test_pauses_are_shortened_at_random():
    world = World(failures=2)
    await world.backoff(jitter=1.0).run(world.attempt)
    assert world.pauses == [0.05, 0.1]


async def test_after_a_few_tries_the_caller_is_told():
    world = World(failures=99)
    with pytest.raises(StoreUnavailable):
        await world.backoff().run(world.attempt)
    assert world.tries == 4


async def test_no_try_starts_after_two_seconds():
    world = World(failures=99, try_seconds=1.5)
    with pytest.raises(StoreUnavailable):
        await world.backoff().run(world.attempt)
    assert world.tries == 2


async def test_a_final_failure_is_not_tried_again():
    world = World(failures=99)
    with pytest.raises(StoreUnavailable):
        await world.backoff().run(world.attempt, is_final=lambda _: True)
    assert world.tries == 1
