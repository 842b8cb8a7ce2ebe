from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from projection_worker.consuming.lag import Stalled, WorkerLag
from projection_worker.consuming.metrics import WorkerMetrics
from projection_worker.projecting.projector import Projected
from tests.support.projection_facts import NOON

STALL_SECONDS = 60.0


@pytest.fixture
def lag() -> WorkerLag:
    return WorkerLag(lambda: NOON, STALL_SECONDS)


def test_lag_is_what_waits_on_all_partitions(lag: WorkerLag) -> None:
    lag.measure(ends={0: 10, 1: 5}, positions={0: 7, 1: 5}, now=0)

    assert lag.report()["events"] == 3


def test_its_seconds_are_the_age_of_the_newest_projected_record(lag: WorkerLag) -> None:
    lag.saw(int((NOON - timedelta(seconds=4)).timestamp() * 1_000))

    lag.measure(ends={0: 10}, positions={0: 7}, now=0)

    assert lag.report() == {"events": 3, "seconds": 4.0}


def test_without_anything_waiting_there_is_no_lag(lag: WorkerLag) -> None:
    lag.saw(int((NOON - timedelta(hours=4)).timestamp() * 1_000))

    lag.measure(ends={0: 7}, positions={0: 7}, now=1_000)

    assert lag.report() == {"events": 0, "seconds": 0.0}


def test_a_worker_without_partitions_is_never_stalled(lag: WorkerLag) -> None:
    lag.measure(ends={}, positions={}, now=0)
    lag.measure(ends={}, positions={}, now=10 * STALL_SECONDS)

    assert lag.events == 0


def test_records_that_wait_without_progress_are_a_stall(lag: WorkerLag) -> None:
    lag.measure(ends={0: 9}, positions={0: 7}, now=0)
    lag.measure(ends={0: 9}, positions={0: 7}, now=STALL_SECONDS)

    with pytest.raises(Stalled, match="2 records wait"):
        lag.measure(ends={0: 9}, positions={0: 7}, now=STALL_SECONDS + 1)


def test_what_gets_on_within_one_record_is_no_stall(lag: WorkerLag) -> None:
    lag.measure(ends={0: 9}, positions={0: 7}, now=0)

    lag.got_on(now=STALL_SECONDS)
    lag.measure(ends={0: 9}, positions={0: 7}, now=2 * STALL_SECONDS)

    with pytest.raises(Stalled, match="2 records wait"):
        lag.measure(ends={0: 9}, positions={0: 7}, now=2 * STALL_SECONDS + 1)


def test_slow_progress_is_progress(lag: WorkerLag) -> None:
    for step in range(10):
        lag.measure(ends={0: 100}, positions={0: step}, now=step * STALL_SECONDS)

    assert lag.events == 91


def test_metrics_tell_what_was_projected_parked_and_waits(lag: WorkerLag) -> None:
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    lag.measure(ends={0: 9}, positions={0: 7}, now=0)

    metrics.batch(Projected(applied=5), seconds=0.01)
    metrics.lag(lag)

    assert registry.get_sample_value("teddy_events_projected_total") == 5
    assert registry.get_sample_value("teddy_records_parked_total") == 0
    assert registry.get_sample_value("teddy_worker_lag_events") == 2
