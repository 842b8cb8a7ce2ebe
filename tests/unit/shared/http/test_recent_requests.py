"""What a process knows of the requests that it answered lately."""

import tracemalloc
from datetime import timedelta

import pytest

from shared.clock import iso
from shared.http.recent_requests import (
    FASTEST_SECONDS,
    MOST_REFUSALS,
    MOST_SLOW,
    SLOT_SECONDS,
    SLOTS,
    SLOWEST_SECONDS,
    STEP,
    RecentRequests,
    within,
)
from tests.support.read_model_builders import NOON

KEPT_SECONDS = SLOT_SECONDS * SLOTS


class Process:
    """A clock that a test moves, and the requests that were answered by it."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.recent = RecentRequests(
            lambda: self.seconds, lambda: NOON + timedelta(seconds=self.seconds - 1_000)
        )

    def answers(self, *durations: float, operation: str | None = "GetAlerts") -> None:
        for duration in durations:
            self.recent.answered(operation, self.seconds - duration, 200)

    def refuses(self, code: str = "forbidden", operation: str | None = "GetAlerts") -> None:
        self.recent.refused(operation, self.seconds, 403, code, "parent")


@pytest.fixture
def process() -> Process:
    return Process()


def test_of_a_process_that_answered_nothing_there_are_no_durations(process: Process):
    figures = process.recent.figures()
    assert (figures.requests, figures.requests_per_second, figures.refused) == (0, 0, 0)
    assert (figures.p50_milliseconds, figures.p99_milliseconds) == (None, None)
    assert (figures.slowest, figures.refusals, figures.refused_by_code) == ([], [], {})


@pytest.mark.parametrize("seconds", [0.0001, 0.000_37, 0.002, 0.05, 1.0, 31.0])
def test_a_duration_is_given_at_most_a_step_too_long_and_never_too_short(
    process: Process, seconds: float
):
    process.answers(seconds)
    found = process.recent.figures().p50_milliseconds
    assert found is not None
    assert 1_000 * seconds - 0.01 <= found <= 1_000 * seconds * STEP + 0.01


def test_what_is_shorter_or_longer_than_every_step_has_the_first_or_the_last(process: Process):
    process.answers(0.0, operation=None)
    assert process.recent.figures().p50_milliseconds == 1_000 * FASTEST_SECONDS
    process.answers(*[10 * SLOWEST_SECONDS] * 2)
    found = process.recent.figures().p99_milliseconds
    assert found is not None
    assert 1_000 * SLOWEST_SECONDS <= found <= 1_000 * SLOWEST_SECONDS * STEP


def test_one_slow_request_in_a_hundred_is_beyond_the_99th_percentile_and_two_are_not(
    process: Process,
):
    # given
    process.answers(*[0.001] * 99, 0.5)
    before = process.recent.figures()
    # when
    process.answers(0.5)
    # then
    after = process.recent.figures()
    assert before.p50_milliseconds == before.p99_milliseconds == after.p50_milliseconds
    assert after.p99_milliseconds == pytest.approx(500, rel=STEP - 1)


@pytest.mark.parametrize(("share", "rank"), [(0.5, 0), (0.75, 1), (0.76, 2), (1.0, 2)])
def test_a_share_of_few_durations_is_by_the_nearest_rank(share: float, rank: int):
    counts = [2, 1, 1]
    assert within(counts, share) == within([0] * rank + [1], 1.0)


def test_refusals_are_counted_and_do_not_make_the_answers_look_faster(process: Process):
    # given
    process.answers(0.2)
    # when
    for _ in range(9):
        process.refuses()
    # then
    figures = process.recent.figures()
    assert (figures.requests, figures.refused) == (10, 9)
    assert figures.p50_milliseconds == pytest.approx(200, rel=STEP - 1)


def test_after_a_start_the_rate_is_that_of_the_time_since(process: Process):
    process.seconds += 20
    for _ in range(30):
        process.answers(0.001)
    figures = process.recent.figures()
    assert (figures.seconds, figures.requests_per_second) == (20, 1.5)


def test_after_five_minutes_nothing_counts_any_more_but_the_last_refusals_are_still_listed(
    process: Process,
):
    # given
    process.answers(0.3)
    process.refuses()
    # when
    process.seconds += KEPT_SECONDS + SLOT_SECONDS
    # then
    figures = process.recent.figures()
    assert (figures.requests, figures.refused_by_code, figures.slowest) == (0, {}, [])
    assert figures.p99_milliseconds is None
    assert KEPT_SECONDS - SLOT_SECONDS <= figures.seconds <= KEPT_SECONDS
    assert [(one.code, one.at) for one in figures.refusals] == [("forbidden", iso(NOON))]


def test_what_is_younger_counts_to_the_end(process: Process):
    process.answers(0.3)
    process.seconds += KEPT_SECONDS - SLOT_SECONDS
    process.answers(0.1)
    figures = process.recent.figures()
    assert figures.requests == 2
    assert figures.requests_per_second == pytest.approx(2 / figures.seconds, abs=0.01)


def test_of_each_operation_the_slowest_is_named_with_its_time_and_status(process: Process):
    # given
    process.answers(0.01, 0.7, 0.02, operation="SearchChildren")
    process.seconds += 60
    process.answers(0.6, operation="SearchChildren")
    process.recent.refused("GetChildProfile", process.seconds - 2, 503, "read-model-late", "parent")
    process.answers(9.0, operation=None)
    # when
    slowest = process.recent.figures().slowest
    # then what names no operation is not listed
    assert [(one.operation, one.milliseconds, one.status, one.at) for one in slowest] == [
        ("GetChildProfile", 2_000, 503, iso(NOON + timedelta(seconds=60))),
        ("SearchChildren", 700, 200, iso(NOON)),
    ]


def test_only_so_many_slow_operations_are_listed(process: Process):
    for number in range(MOST_SLOW + 1):
        process.answers(float(number), operation=f"Operation{number}")
    slowest = [one.operation for one in process.recent.figures().slowest]
    assert slowest == [f"Operation{number}" for number in range(MOST_SLOW, 0, -1)]


def test_refusals_are_listed_the_newest_first_and_counted_by_code(process: Process):
    # given
    process.refuses("unauthenticated", None)
    process.seconds += 30
    process.refuses()
    process.refuses()
    # when
    figures = process.recent.figures()
    # then
    assert [one.code for one in figures.refusals] == ["forbidden", "forbidden", "unauthenticated"]
    assert [one.at for one in figures.refusals][1:] == [
        iso(NOON + timedelta(seconds=30)),
        iso(NOON),
    ]
    assert list(figures.refused_by_code.items()) == [("forbidden", 2), ("unauthenticated", 1)]


def test_a_flood_of_refusals_takes_no_memory_and_hides_no_answer(process: Process):
    # given every slot in use
    process.answers(0.4)
    for _ in range(SLOTS):
        process.seconds += SLOT_SECONDS
        process.refuses("overloaded")
    process.answers(0.4)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    # when
    for number in range(50_000):
        process.seconds += 0.006
        process.refuses("overloaded", ("GetAlerts", None)[number % 2])
    # then
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    figures = process.recent.figures()
    assert after - before < 200_000
    assert len(figures.refusals) == MOST_REFUSALS
    assert figures.refused == figures.refused_by_code["overloaded"] > 45_000
