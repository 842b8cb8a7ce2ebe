"""The pages of settings and of monitoring: generated or complete, and their drift is found."""

import re
from pathlib import Path
from typing import Literal

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import Field
from pydantic_settings import BaseSettings

from deploy.checks.configuration import main, table, with_generated
from projection_worker.consuming.progress import WorkerMetrics
from projection_worker.notifications.metrics import NotificationMetrics
from query_service.business_metrics import BusinessMetrics
from query_service.cache.query_cache import QueryCache
from query_service.metrics import QueryMetrics
from query_service.read_store.recent_figures import RecentFigures
from shared.clock import utc_now
from tests.fakes.read_store import MemoryReadModels

BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


class First(BaseSettings):
    url: str = Field(description="Where it is: a | b.")
    size: int = Field(3, description="How large.")


class Second(BaseSettings):
    size: int = Field(3, description="How large.")
    limit: float | None = Field(None, gt=0, le=1_048_576, description="How much.")
    port: int = Field(80, ge=0, le=65535, description="Where.")
    way: Literal["a", "b"] = Field("a", description="How.")
    fast: bool = Field(False, description="Whether.")


def test_a_row_says_who_reads_a_setting_its_default_and_its_range():
    rows = table({"first": First, "second": Second}).splitlines()[2:]

    assert rows == [
        "| `TEDDY_URL` | first | **required** |  | Where it is: a \\| b. |",
        "| `TEDDY_SIZE` | all | `3` |  | How large. |",
        "| `TEDDY_LIMIT` | second | unset | more than 0, at most 1048576 | How much. |",
        "| `TEDDY_PORT` | second | `80` | 0 to 65535 | Where. |",
        "| `TEDDY_WAY` | second | `a` | `a`, `b` | How. |",
        "| `TEDDY_FAST` | second | `false` | `true`, `false` | Whether. |",
    ]


def test_a_page_that_differs_is_found_and_fixed(tmp_path: Path):
    page = tmp_path / "configuration.md"
    page.write_text(f"# Settings\n{BEGIN}| `TEDDY_OLD` |\n{END}more\n")

    assert main([], page) == 1
    assert main(["--write"], page) == 0
    assert main([], page) == 0
    assert page.read_text().startswith("# Settings\n")
    assert page.read_text().endswith(f"{END}more\n")
    assert "TEDDY_OLD" not in page.read_text()


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="settings: begin"):
        with_generated("# Settings", "settings", table())


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
BUSINESS = (
    "teddy_active",
    "teddy_children",
    "teddy_open",
    "teddy_recent",
    "teddy_registrations",
)
FINDINGS = ("waits for a rebuild", "read models are", "topic ", "degraded")
PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"


async def test_every_metric_on_the_page_is_one_of_the_worker_or_the_query_api():
    # given
    registry = CollectorRegistry()
    await BusinessMetrics(registry, RecentFigures(MemoryReadModels(), utc_now)).refresh()
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
    assert {name for name in there if name.startswith(BUSINESS)} <= named


def test_every_number_that_tells_of_something_stale_has_an_alert():
    text = PAGE.read_text()
    for metric in STALE:
        assert re.search(rf"^\| [^|]+ \| `[^|]*\b{metric}\b", text, re.MULTILINE), metric


def test_every_finding_and_degraded_dependency_is_explained():
    text = PAGE.read_text()
    for reported in FINDINGS:
        assert f"`{reported}" in text, reported
