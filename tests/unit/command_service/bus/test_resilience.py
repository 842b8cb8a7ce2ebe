"""A store that is away: tries with pauses, nobody waits for what is known, and all ends in time."""

import asyncio
from collections.abc import Callable

import pytest

from command_service.application import Tuning
from command_service.bus.command_bus import CommandResult
from command_service.bus.resilience import (
    FAILURES_TO_OPEN,
    PROBE_EVERY_SECONDS,
    Backoff,
    CircuitBreaker,
    deadline,
)
from command_service.child.errors import ChildNotFound
from shared.event_store.envelope import Commit, NewCommit
from shared.event_store.port import StoreUnavailable
from tests.fakes.event_store import MemoryEventStore
from tests.support.child_facts import ADA, REGISTER
from tests.support.command_side import PATIENT, CommandSide, Database
from tests.support.consents import REGISTRATION
from tests.support.waiting import until


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


@pytest.mark.parametrize(("jitter", "pauses"), [(0.0, [0.1, 0.2]), (1.0, [0.05, 0.1])])
async def test_a_short_absence_is_not_noticed_after_pauses_shortened_at_random(
    jitter: float, pauses: list[float]
):
    world = World(failures=2)
    assert await world.backoff(jitter).run(world.attempt) == "done"
    assert world.pauses == pauses


@pytest.mark.parametrize(
    ("try_seconds", "final", "tries"),
    [(0.0, False, 4), (1.5, False, 2), (0.0, True, 1)],
    ids=["a few tries", "none starts after two seconds", "none after a final failure"],
)
async def test_after_a_few_tries_the_caller_is_notified(
    try_seconds: float, final: bool, tries: int
):
    world = World(failures=99, try_seconds=try_seconds)
    with pytest.raises(StoreUnavailable):
        await world.backoff().run(world.attempt, is_final=lambda _: final)
    assert world.tries == tries


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


async def test_a_store_that_is_known_to_be_away_is_asked_by_one_command_at_times(store: Store):
    await store.fail(100)
    assert store.asked == FAILURES_TO_OPEN
    store.now += PROBE_EVERY_SECONDS
    await store.fail(10)
    store.now += PROBE_EVERY_SECONDS
    await store.fail(10)
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
    store.now += PROBE_EVERY_SECONDS
    store.outcome = store.is_back
    results = [await store.send() for _ in range(10)]
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


class HungEventStore(MemoryEventStore):
    """What is appended lands, but nobody hears of it while `hung`."""

    hung = True

    async def append(self, commit: NewCommit) -> Commit:
        stored = await super().append(commit)
        await until(lambda: not self.hung)
        return stored


async def test_a_command_has_its_result_in_time_or_is_told_that_the_store_is_away():
    async def waits() -> CommandResult:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")

    with pytest.raises(StoreUnavailable, match=r"within 0\.01 s"):
        async with deadline(0.01):
            await waits()

    async def answers() -> CommandResult:
        return CommandResult(ADA, 1, ())

    async with deadline(0.01):
        assert await answers() == CommandResult(ADA, 1, ())


async def test_a_repeated_request_finds_what_landed_after_the_deadline():
    # given
    store = HungEventStore()
    database = Database(events=store)
    side = CommandSide(database, tuning=Tuning(timeout_seconds=1.0))
    with pytest.raises(StoreUnavailable):
        await side.do(REGISTER, key="register-ada-1")
    # when
    store.hung = False
    patient = CommandSide(database, tuning=PATIENT)
    again = await patient.do(REGISTER, key="register-ada-1")
    # then
    assert again.replayed
    assert await side.stored_events() == [*REGISTRATION]
