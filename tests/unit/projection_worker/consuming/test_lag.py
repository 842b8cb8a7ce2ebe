"""What a worker knows of the event store, and what an operator is told of it."""

from datetime import datetime, timedelta
from math import inf

import pytest
from prometheus_client import CollectorRegistry
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure

from projection_worker.consuming.progress import (
    Attempts,
    Stalled,
    Troubles,
    WorkerLag,
    WorkerMetrics,
)
from projection_worker.consuming.store_lag import MOST_PENDING, StoreLag
from projection_worker.projecting.projector import Projected
from projection_worker.projecting.unstorable import in_few_words
from tests.support.projection_facts import NOON


def test_what_is_stored_and_not_shown_waits_since_it_was_seen():
    lag = StoreLag()
    lag.stored({"lena": 3, "mia": 1}, at=10)
    lag.projected({"lena": 3})
    lag.stored({"mia": 2}, at=20)
    assert (lag.events, lag.children, lag.seconds(now=25)) == (2, {"mia"}, 15)


def test_a_later_version_shows_an_earlier_one_and_of_a_dead_lettered_child_nothing_is_awaited():
    lag = StoreLag()
    lag.stored({"lena": 3}, at=10)
    lag.projected({"lena": 7})
    assert (lag.events, lag.seconds(now=25)) == (0, 0.0)
    lag = StoreLag()
    lag.stored({"lena": 3}, at=10)
    lag.projected({"lena": inf})
    assert lag.events == 0


def test_all_is_projected_up_to_the_last_look_before_the_oldest_that_waits():
    lag = StoreLag()
    # given a child that stands still while others move
    for second in range(5):
        lag.stored({f"child-{second}": 1}, at=second)
    shown = {"child-0": 1.0, "child-1": 1.0, "child-3": 1.0, "child-4": 1.0}
    # when
    lag.projected(shown)
    # then
    assert lag.through == 1
    # when it moves, too
    lag.projected({"child-2": 1})
    # then
    assert lag.through == 4


def test_of_a_store_that_runs_away_no_more_is_remembered_and_nothing_taken_as_projected():
    lag = StoreLag()
    for number in range(2 * MOST_PENDING):
        lag.stored({f"child-{number}": 1}, at=number)
    lag.projected({})
    assert (lag.events, lag.through) == (MOST_PENDING, None)


def test_a_worker_that_reads_nothing_is_behind_though_kafka_has_nothing_for_it():
    # given
    lag = WorkerLag(lambda: NOON + timedelta(hours=1), stall_seconds=60)
    lag.measure(ends={}, positions={}, now=0)
    # when: seen in the store long ago, by the clock of the machine
    lag.store.stored({"lena": 1}, at=-1_000_000)
    # then
    assert lag.report()["events"] == 1
    assert lag.report()["seconds"] > 1_000_000
    (finding,) = lag.findings()
    assert "behind the event store" in finding


def test_a_store_that_is_shown_is_no_finding():
    lag = WorkerLag(lambda: NOON, stall_seconds=60)
    lag.store.stored({"lena": 1}, at=-1_000_000)
    lag.store.projected({"lena": 1})

    assert lag.findings() == ()
    assert lag.report() == {"events": 0, "seconds": 0.0}


def test_attempts_in_vain_count_from_the_first_to_the_next_that_works():
    now = 0.0
    attempts = Attempts("offsets could not be committed", lambda: now)
    # given
    attempts.failed()
    now = 61
    attempts.failed()
    # when / then
    with pytest.raises(Stalled, match="offsets could not be committed for 61 s"):
        attempts.check(limit_seconds=60)
    # when
    attempts.succeeded()
    # then
    attempts.check(limit_seconds=60)


STALL_SECONDS = 60.0


@pytest.fixture
def lag() -> WorkerLag:
    return WorkerLag(lambda: NOON, STALL_SECONDS)


def test_lag_is_what_waits_on_all_partitions_and_the_age_of_the_newest_projected_record(
    lag: WorkerLag,
):
    lag.measure(ends={0: 10, 1: 5}, positions={0: 7, 1: 5}, now=0)

    assert lag.report()["events"] == 3
    lag.projected(int((NOON - timedelta(seconds=4)).timestamp() * 1_000))

    lag.measure(ends={0: 10}, positions={0: 7}, now=0)

    assert lag.report() == {"events": 3, "seconds": 4.0}


def test_without_anything_waiting_there_is_no_lag(lag: WorkerLag):
    lag.projected(int((NOON - timedelta(hours=4)).timestamp() * 1_000))

    lag.measure(ends={0: 7}, positions={0: 7}, now=1_000)

    assert lag.report() == {"events": 0, "seconds": 0.0}


def test_a_worker_without_partitions_is_never_stalled(lag: WorkerLag):
    lag.measure(ends={}, positions={}, now=0)
    lag.measure(ends={}, positions={}, now=10 * STALL_SECONDS)

    assert lag.events == 0


def test_records_that_wait_without_progress_are_a_stall(lag: WorkerLag):
    lag.measure(ends={0: 9}, positions={0: 7}, now=0)
    lag.measure(ends={0: 9}, positions={0: 7}, now=STALL_SECONDS)

    with pytest.raises(Stalled, match="2 records wait"):
        lag.measure(ends={0: 9}, positions={0: 7}, now=STALL_SECONDS + 1)


def test_what_gets_on_within_one_record_is_no_stall(lag: WorkerLag):
    lag.measure(ends={0: 9}, positions={0: 7}, now=0)

    lag.progressed(now=STALL_SECONDS)
    lag.measure(ends={0: 9}, positions={0: 7}, now=2 * STALL_SECONDS)

    with pytest.raises(Stalled, match="2 records wait"):
        lag.measure(ends={0: 9}, positions={0: 7}, now=2 * STALL_SECONDS + 1)


def test_slow_progress_is_progress(lag: WorkerLag):
    for step in range(10):
        lag.measure(ends={0: 100}, positions={0: step}, now=step * STALL_SECONDS)

    assert lag.events == 91


def test_metrics_tell_what_was_projected_dead_lettered_and_waits(lag: WorkerLag):
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    lag.measure(ends={0: 9}, positions={0: 7}, now=0)

    metrics.batch(Projected(applied=5), seconds=0.01)
    metrics.lag(lag)

    assert registry.get_sample_value("teddy_events_projected_total") == 5
    assert registry.get_sample_value("teddy_records_dead_lettered_total") == 0
    assert registry.get_sample_value("teddy_worker_lag_events") == 2


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def refused(code: int) -> BulkWriteError:
    return BulkWriteError({"writeErrors": [{"code": code, "errmsg": "", "op": {"name": "Mia"}}]})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationFailure("interrupted: Mia", 11601), "OperationFailure 11601"),
        (AutoReconnect("mongo.example:27017"), "AutoReconnect"),
        (refused(112), "BulkWriteError 112"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_a_failure_is_reported_by_its_type_and_code_without_values(error: Exception, said: str):
    assert in_few_words(error) == said


def test_a_retry_is_told_from_its_first_failure_until_it_worked():
    # given
    clock = Clock()
    troubles = Troubles(clock)
    assert troubles.report() == {"dead_lettered_children": 0, "retrying": None}
    # when
    troubles.failed(OperationFailure("", 50))
    clock.now += timedelta(seconds=90)
    troubles.failed(AutoReconnect(""))
    # then
    assert troubles.report()["retrying"] == {
        "since": "2026-11-23T12:00:00.000Z",
        "because": "AutoReconnect",
    }
    assert troubles.retrying_seconds == 90.0
    # when
    troubles.succeeded()
    # then
    assert (troubles.report()["retrying"], troubles.retrying_seconds) == (None, 0.0)


def test_both_are_metrics():
    # given
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    clock = Clock()
    troubles = Troubles(clock, dead_lettered=3)
    # when
    metrics.retry(troubles.failed(OperationFailure("", 262)))
    clock.now += timedelta(seconds=5)
    metrics.troubles(troubles)
    # then
    assert registry.get_sample_value("teddy_dead_lettered_children") == 3
    assert registry.get_sample_value("teddy_projection_retrying_seconds") == 5
    labels = {"error": "OperationFailure 262"}
    assert registry.get_sample_value("teddy_projection_retries_total", labels) == 1
