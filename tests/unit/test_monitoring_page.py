"""The metrics that the monitoring page names are there."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from projection_worker.consuming.metrics import NotificationMetrics, WorkerMetrics
from query_service.cache.query_cache import QueryCache
from query_service.metrics import QueryMetrics
from shared.clock import utc_now

STALE = (
    "teddy_dead_lettered_children",
    "teddy_delivery_waiting_seconds",
    "teddy_projection_retrying_seconds",
    "teddy_query_change_feed_up",
    "teddy_query_read_store_unavailable_seconds",
    "teddy_topics_differing",
    "teddy_worker_findings",
    "teddy_worker_lag_seconds",
)
FINDINGS = ("waits for a rebuild", "read models are", "topic ", "degraded")
PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"


def test_every_metric_on_the_page_is_one_of_the_worker_or_the_query_api():
    # given
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    metrics.retry("OperationFailure 50")
    notifications = NotificationMetrics(registry)
    notifications.open({}, utc_now())
    notifications.attempted("webhook", "delivered")
    QueryMetrics(registry).watch(QueryCache[None](1, lambda: 0.0), lambda: None)
    # when
    there = set(re.findall(r"^(teddy_\w+)[ {]", generate_latest(registry).decode(), re.MULTILINE))
    named = set(re.findall(r"teddy_\w+", PAGE.read_text()))
    # then
    assert named
    assert named <= there


def test_every_number_that_tells_of_something_stale_has_an_alert():
    text = PAGE.read_text()
    for metric in STALE:
        assert re.search(rf"^\| [^|]+ \| `[^|]*\b{metric}\b", text, re.MULTILINE), metric


def test_every_finding_and_degraded_dependency_is_explained():
    text = PAGE.read_text()
    for told in FINDINGS:
        assert f"`{told}" in text, told
