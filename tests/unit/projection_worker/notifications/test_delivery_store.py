import pytest

from projection_worker.notifications.delivery_store import (
    GIVEN_UP_AFTER,
    JITTER,
    PAUSES,
    pause_after,
)
from projection_worker.notifications.lane import (
    FAILURES_TO_OPEN,
    PROBE_EVERY_SECONDS,
    CircuitBreaker,
)


@pytest.mark.parametrize("attempts", range(1, len(PAUSES) + 1))
def test_each_pause_is_the_schedules_with_some_jitter(attempts: int) -> None:
    pauses = {pause_after(attempts) for _ in range(20)}

    planned = PAUSES[attempts - 1]
    assert len(pauses) > 1
    assert all(p is not None and abs(p - planned) <= JITTER * planned for p in pauses)


def test_pauses_grow_from_seconds_to_hours_over_three_days() -> None:
    assert list(PAUSES) == sorted(PAUSES)
    assert PAUSES[0] == 5
    assert 0.95 < sum(PAUSES) / GIVEN_UP_AFTER.total_seconds() < 1


def test_behind_the_last_pause_there_is_no_attempt() -> None:
    assert pause_after(len(PAUSES) + 1) is None


def test_a_receiver_that_fails_again_and_again_is_asked_once_in_a_while() -> None:
    now = [0.0]
    breaker = CircuitBreaker(lambda: now[0])
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.allowed(8) == 8
        breaker.failed()
    # when it is open
    assert breaker.allowed(8) == 0
    now[0] += PROBE_EVERY_SECONDS
    assert breaker.allowed(8) == 1
    # when the one that is allowed begins
    breaker.begin()
    assert breaker.allowed(8) == 0
    # when it worked
    breaker.succeeded()
    assert breaker.allowed(8) == 8


def test_failures_that_are_not_in_a_row_open_nothing() -> None:
    breaker = CircuitBreaker(lambda: 0.0)
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed()
        breaker.succeeded()

    assert not breaker.is_open
