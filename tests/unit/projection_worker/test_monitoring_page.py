"""The metrics that the monitoring page names are there."""

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from projection_worker.metrics import WorkerMetrics
from projection_worker.notifications.metrics import NotificationMetrics

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"


def test_every_metric_on_the_page_is_one_of_the_worker() -> None:
    # given
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    metrics.retry("OperationFailure 50")
    notifications = NotificationMetrics(registry)
    notifications.open({}, NOON)
    notifications.attempted("webhook", "delivered")
    # when
    there = set(re.findall(r"^(teddy_\w+)[ {]", generate_latest(registry).decode(), re.MULTILINE))
    named = set(re.findall(r"teddy_\w+", PAGE.read_text()))
    # then
    assert named
    assert named <= there
