"""What an operator is told of a worker that runs and does not get on."""

from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure

from projection_worker.consuming.metrics import Troubles, WorkerMetrics
from projection_worker.projecting.read_model_writes import in_few_words
from tests.support.projection_facts import NOON


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
def test_a_failure_is_reported_by_its_type_and_code_without_values(
    error: Exception, said: str
) -> None:
    assert in_few_words(error) == said


def test_a_retry_is_told_from_its_first_failure_until_it_worked() -> None:
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
    troubles.got_on()
    # then
    assert (troubles.report()["retrying"], troubles.retrying_seconds) == (None, 0.0)


def test_both_are_metrics() -> None:
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
