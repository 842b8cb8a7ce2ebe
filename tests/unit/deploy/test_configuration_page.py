"""The pages of settings and of monitoring: generated or complete, and their drift is found."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import Field
from pydantic_settings import BaseSettings

from deploy.checks.configuration import BEGIN, END, main, page_with, table
from projection_worker.consuming.metrics import NotificationMetrics, WorkerMetrics
from query_service.cache.query_cache import QueryCache
from query_service.metrics import QueryMetrics
from shared.clock import utc_now


class First(BaseSettings):
    url: str = Field(description="Where it is: a | b.")
    size: int = Field(3, description="How large.")


class Second(BaseSettings):
    size: int = Field(3, description="How large.")
    limit: float | None = Field(None, description="How much.")


def test_a_row_says_who_reads_a_setting_and_what_happens_without_it():
    rows = table({"first": First, "second": Second}).splitlines()[2:]

    assert rows == [
        "| `TEDDY_URL` | first | **required** | Where it is: a \\| b. |",
        "| `TEDDY_SIZE` | all | `3` | How large. |",
        "| `TEDDY_LIMIT` | second | unset | How much. |",
    ]


def test_a_page_that_differs_is_found_and_fixed(tmp_path: Path):
    page = tmp_path / "configuration.md"
    page.write_text(f"# Settings\n{BEGIN}\n| `TEDDY_OLD` |\n{END}\nmore\n")

    assert main([], page) == 1
    assert main(["--write"], page) == 0
    assert main([], page) == 0
    assert page.read_text().startswith("# Settings\n")
    assert page.read_text().endswith(f"{END}\nmore\n")
    assert "TEDDY_OLD" not in page.read_text()


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="settings: begin"):
        page_with("# Settings", table())


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
PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"


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
