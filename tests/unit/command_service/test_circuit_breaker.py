"""Nobody waits for a store that is known to be away."""

import asyncio
from collections.abc import Callable

import pytest

from command_service.bus.command_bus import CommandContext, CommandResult
from command_service.bus.resilience import (
    FAILURES_TO_OPEN,
    PROBE_EVERY_SECONDS,
    CircuitBreaker,
)
from command_service.child.errors import ChildNotFound
from shared.auth.principal import Principal, Role
from shared.event_store.port import StoreUnavailable
from tests.support.child_facts import ADA
from tests.support.waiting import until

CONTEXT = CommandContext(Principal("admin-1", Role.ADMIN), "correlation-1", "command-1")
DONE = CommandResult(ADA, 1, ("ChildErased",))


class Store:
    """Answers with `outcome`; counts who came as far as here."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked = 0
        self.outcome: Callable[[], CommandResult] = self.is_away
        self.breaker = CircuitBreaker(lambda: self.now)

    def is_away(self) -> CommandResult:
        raise StoreUnavailable("no primary")

    def is_back(self) -> CommandResult:
        return DONE

    def refuses(self) -> CommandResult:
        raise ChildNotFound

    async def send(self) -> CommandResult:
        with self.breaker.watching():
            self.asked += 1
            return self.outcome()

    async def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(StoreUnavailable):
                await self.send()


@pytest.fixture
async def store() -> Store:
    """One that so many commands found away that the next is not let through."""
    store = Store()
    await store.fail(FAILURES_TO_OPEN)
    return store


async def test_a_store_that_is_known_to_be_away_is_not_asked(store: Store):
    await store.fail(100)
    assert store.asked == FAILURES_TO_OPEN


async def test_one_command_at_times_finds_out_whether_it_is_back(store: Store):
    # when
    store.now += PROBE_EVERY_SECONDS
    await store.fail(10)
    store.now += PROBE_EVERY_SECONDS
    await store.fail(10)
    # then
    assert store.asked == FAILURES_TO_OPEN + 2


async def test_only_one_finds_out_at_a_time(store: Store):
    # given
    store.now += PROBE_EVERY_SECONDS
    under_way, answered = asyncio.Event(), asyncio.Event()

    async def slow() -> CommandResult:
        with store.breaker.watching():
            under_way.set()
            await answered.wait()
            return DONE

    probe = asyncio.create_task(slow())
    await until(under_way.is_set)
    # when
    await store.fail(3)
    # then
    assert store.asked == FAILURES_TO_OPEN
    answered.set()
    assert await probe == DONE


async def test_a_store_that_is_back_serves_everybody(store: Store):
    # given
    store.now += PROBE_EVERY_SECONDS
    store.outcome = store.is_back
    # when
    results = [await store.send() for _ in range(10)]
    # then
    assert results == [DONE] * 10


async def test_a_refusal_does_not_tell_that_the_store_is_back(store: Store):
    # given
    store.now += PROBE_EVERY_SECONDS
    store.outcome = store.refuses
    with pytest.raises(ChildNotFound):
        await store.send()
    # when
    store.outcome = store.is_away
    await store.fail(10)
    # then: one more was let through to find out
    assert store.asked == FAILURES_TO_OPEN + 2


async def test_failures_with_successes_between_them_close_nothing():
    # given
    store = Store()
    for _ in range(5):
        store.outcome = store.is_away
        await store.fail(FAILURES_TO_OPEN - 1)
        store.outcome = store.is_back
        # when
        assert await store.send() == DONE
    # then
    assert store.asked == 5 * FAILURES_TO_OPEN
