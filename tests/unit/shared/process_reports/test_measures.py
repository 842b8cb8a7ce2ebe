"""From the counters of a process to its rate and percentiles."""

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.process_reports.documents import Figure
from shared.process_reports.measures import Measures, buckets_of, total_of, upper_bound


class Measured:
    """A process at work, and the clock beside it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.done: float | None = 0.0
        self.measures = Measures(done=lambda: self.done, now=lambda: self.now)

    def rate_after(self, seconds: float, done: float | None) -> float | None:
        self.now += seconds
        self.done = done
        return self.measures().figures.get(Figure.RATE)


@pytest.fixture
def process() -> Measured:
    process = Measured()
    process.measures()
    return process


def test_what_was_counted_once_has_no_rate():
    assert Measured().measures().figures == {}


def test_a_rate_is_what_was_done_since_the_first_count_of_the_last_minute(process: Measured):
    assert process.rate_after(5, 50) == 10
    assert process.rate_after(5, 50) == 5
    # when the first five seconds are over a minute ago
    for _ in range(12):
        rate = process.rate_after(5, 50)
    assert rate == 0


def test_a_counter_that_begins_anew_counts_from_there(process: Measured):
    process.rate_after(5, 1_000)
    assert process.rate_after(5, 0) == 100
    assert process.rate_after(10, 500) == 75


def test_whoever_does_nothing_for_another_s_turn_has_no_rate_and_later_none_of_what_others_did(
    process: Measured,
):
    process.rate_after(5, 10)
    # given another leads and does much
    assert process.rate_after(5, None) is None
    assert process.rate_after(5, 1_000_000) is None
    assert process.rate_after(5, 1_000_010) == 2


def test_figures_that_need_no_counting_and_partitions_stand_beside_the_rate():
    measures = Measures(
        done=lambda: None, others=lambda: {Figure.LAG: 7.0}, partitions=lambda: {3: 7}
    )
    measured = measures()
    assert (measured.figures, measured.partitions) == ({"lag": 7.0}, {3: 7})


BOUNDS = {0.1: 0.0, 1.0: 0.0, math.inf: 0.0}


@pytest.mark.parametrize(
    ("fast", "slow", "beyond", "p50", "p99"),
    [
        (1, 0, 0, 0.1, 0.1),
        (99, 1, 0, 0.1, 0.1),
        (98, 2, 0, 0.1, 1.0),
        (40, 60, 0, 1.0, 1.0),
        (1, 0, 9, 1.0, 1.0),
    ],
)
def test_a_percentile_is_the_bound_below_which_so_many_are_and_at_most_the_largest(
    fast: int, slow: int, beyond: int, p50: float, p99: float
):
    after = {0.1: float(fast), 1.0: float(fast + slow), math.inf: float(fast + slow + beyond)}
    assert upper_bound(BOUNDS, after, 0.5) == p50
    assert upper_bound(BOUNDS, after, 0.99) == p99


def test_of_nothing_there_is_no_percentile_and_what_was_before_counts_no_more():
    before = {0.1: 5.0, 1.0: 5.0, math.inf: 5.0}
    assert upper_bound({}, {}, 0.5) is None
    assert upper_bound(before, before, 0.5) is None
    assert upper_bound(before, {0.1: 5.0, 1.0: 6.0, math.inf: 6.0}, 0.5) == 1.0


def test_counters_are_read_over_all_labels_and_without_others_of_the_process():
    # given
    registry = CollectorRegistry()
    done = Counter("commands", "-", ["outcome"], registry=registry)
    seconds = Histogram("seconds", "-", ["outcome"], registry=registry, buckets=(0.1, 1.0))
    Counter("other", "-", registry=registry).inc(1_000)
    # when
    for outcome, took in (("accepted", 0.05), ("refused", 0.5), ("refused", 5)):
        done.labels(outcome).inc()
        seconds.labels(outcome).observe(took)
    # then
    assert total_of(registry, "commands_total") == 3
    assert buckets_of(registry, "seconds") == {0.1: 1, 1.0: 2, math.inf: 3}


def test_percentiles_are_of_what_was_counted_in_between():
    # given a slow start
    registry = CollectorRegistry()
    seconds = Histogram("seconds", "-", registry=registry, buckets=(0.1, 1.0))
    seconds.observe(0.5)
    measures = Measures(done=lambda: 0, seconds=lambda: dict(buckets_of(registry, "seconds")))
    measures()
    # when
    seconds.observe(0.05)
    # then
    figures = measures().figures
    assert (figures[Figure.P50], figures[Figure.P99]) == (0.1, 0.1)
