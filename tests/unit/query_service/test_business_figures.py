"""The figures of business in the system's analytics, and at /metrics."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pymongo.errors import ExecutionTimeout

from query_service.business_metrics import OLDEST
from query_service.queries.get_system_analytics import (
    TTL_WHILE_INCOMPLETE,
    TTL_WHILE_PENDING,
    GetSystemAnalytics,
    GetSystemAnalyticsHandler,
)
from query_service.queries.visible_children import Scope
from query_service.read_store.business_figures import BusinessFigures
from query_service.read_store.figures_in_mongo import FiguresInMongo
from query_service.read_store.port import ReadStoreUnavailable
from query_service.read_store.recent_figures import RecentFigures
from shared.read_models.deliveries import DeliveryDocument, delivery_of
from shared.read_models.generations import Generation, KeptGeneration
from tests.support.query_side import ANALYST, QuerySide
from tests.support.read_model_builders import NOON, alert_document, system_document, violation

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BUSINESS = (
    "teddy_children",
    "teddy_registrations",
    "teddy_active_children",
    "teddy_open_violations",
    "teddy_open_violation_oldest_seconds",
    "teddy_recent_resolutions",
    "teddy_recent_resolution_seconds",
    "teddy_recent_notifications",
)


def deliver(side: QuerySide, alert_id: str, channel: str, state: str) -> None:
    alert = alert_document(alert_id, raised_at=NOON - HOUR)
    made = {**delivery_of(alert, channel, NOON), "state": state}
    side.store.deliveries[f"{alert_id}:{channel}"] = cast(DeliveryDocument, made)


@pytest.fixture
async def busy(side: QuerySide) -> QuerySide:
    """Two children, one of today; an open violation and two that were resolved; notifications."""
    await side.child("mia", created_at=NOON - DAY)
    await side.child("leo", created_at=NOON)
    side.activity("mia", "2026-11-22")
    side.activity("mia", "2026-11-23")
    side.activity("leo", "2026-11-23")
    fields: dict[str, Any] = {"outcome": "confirmed", "severity": "high", "resolved_at": NOON}
    side.report(
        "mia",
        violation("v1", severity="critical", at=NOON - HOUR),
        violation("v2", at=NOON - HOUR, **fields),
        violation("v3", at=NOON - 26 * HOUR, **fields),
    )
    side.store.system["0"] = system_document("0", children_active=2, children_erased=1)
    for number in range(3):
        deliver(side, f"a{number}", "email", "delivered")
    deliver(side, "a3", "email", "failed")
    return side


async def test_analytics_say_how_the_system_is_used_and_incidents_are_dealt_with(busy: QuerySide):
    found = await busy.ask(GetSystemAnalytics(), ANALYST)
    assert found["days"] == [
        {"day": "2026-11-22", "registrations": 1, "active_children": 1},
        {"day": "2026-11-23", "registrations": 1, "active_children": 2},
    ]
    none = {"low": 0, "medium": 0, "high": 0}
    assert found["open_violations_by_severity"] == none | {"critical": 1}
    resolutions = found["resolutions_by_severity"]
    assert resolutions["high"] == {"resolved": 2, "within_24_hours": 1, "average_hours": 13.5}
    assert resolutions["low"] == {"resolved": 0, "within_24_hours": 0, "average_hours": None}
    email = {"delivered": 3, "failed": 1, "pending": 0, "success": 0.75}
    nothing = {"delivered": 0, "failed": 0, "pending": 0, "success": None}
    assert found["notifications"] == {"email": email, "in_app": nothing, "webhook": nothing}


async def test_of_violations_in_another_place_nothing_is_said(busy: QuerySide):
    busy.store.projections = 6
    found = await busy.ask(GetSystemAnalytics(), ANALYST)
    assert found["open_violations_by_severity"] is None
    assert found["resolutions_by_severity"] is None
    shown = await metrics_of(busy)
    assert "teddy_open_violations" not in shown
    assert "teddy_active_children" in shown


async def test_today_is_another_day_after_midnight(busy: QuerySide):
    # given an answer that is kept
    await busy.ask(GetSystemAnalytics(), ANALYST)
    busy.now = NOON + DAY
    days = (await busy.ask(GetSystemAnalytics(), ANALYST))["days"]
    assert [day["day"] for day in days] == ["2026-11-23", "2026-11-24"]


@pytest.mark.parametrize(("state", "ttl"), [("pending", TTL_WHILE_PENDING), ("failed", 900)])
async def test_an_answer_that_counts_a_notification_under_way_is_soon_read_again(
    side: QuerySide, state: str, ttl: float
):
    deliver(side, "a1", "email", state)
    handler = analytics_of(side)
    answer = await handler.handle(GetSystemAnalytics(), Scope.of(ANALYST, "GetSystemAnalytics"))
    assert answer.ttl == ttl


def analytics_of(side: QuerySide) -> GetSystemAnalyticsHandler:
    def clock() -> datetime:
        return side.now

    return GetSystemAnalyticsHandler(side.store, RecentFigures(side.store, clock), clock, 900)


async def metrics_of(side: QuerySide) -> Mapping[str, Mapping[tuple[str, ...], float]]:
    """After they were read: the value of each metric by its labels' values."""
    await side.service.business.refresh()
    return await shown(side)


async def shown(side: QuerySide) -> Mapping[str, Mapping[tuple[str, ...], float]]:
    text = (await side.get("/metrics")).text
    return {
        family.name: {tuple(one.labels.values()): one.value for one in family.samples}
        for family in text_string_to_metric_families(text)
        if family.name in BUSINESS
    }


async def test_metrics_say_the_same_with_labels_that_are_known_beforehand(busy: QuerySide):
    found = await metrics_of(busy)
    assert found.keys() == set(BUSINESS)
    assert found["teddy_children"] == {("active",): 2, ("deactivated",): 0, ("erased",): 1}
    assert found["teddy_registrations"] == {("yesterday",): 1, ("today",): 1}
    assert found["teddy_active_children"] == {("yesterday",): 1, ("today",): 2}
    severities = {("low",): 0, ("medium",): 0, ("high",): 0, ("critical",): 0}
    assert found["teddy_open_violations"] == severities | {("critical",): 1}
    oldest = found["teddy_open_violation_oldest_seconds"]
    assert oldest == severities | {("critical",): 3_600}
    resolutions = found["teddy_recent_resolutions"]
    assert (resolutions["high", "yes"], resolutions["high", "no"]) == (1, 1)
    assert len(resolutions) == 8
    assert found["teddy_recent_resolution_seconds"]["high",] == 27 * 3_600
    assert found["teddy_recent_notifications"]["email", "delivered"] == 3
    assert len(found["teddy_recent_notifications"]) == 9


async def test_metrics_are_not_read_by_who_asks_for_them(busy: QuerySide):
    assert await shown(busy) == {}
    before = await metrics_of(busy)
    busy.activity("eva", "2026-11-23")
    assert await shown(busy) == before
    assert (await metrics_of(busy))["teddy_active_children"]["today",] == 3


async def test_without_a_read_store_there_are_none(
    busy: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    # given: known to be away before the next reading, or only by it
    await metrics_of(busy)
    busy.store.away_for = 0.1
    assert await shown(busy) == {}
    busy.store.away_for = None
    assert len(await shown(busy)) == len(BUSINESS)

    async def away(_now: object) -> BusinessFigures:
        raise ReadStoreUnavailable("away")

    with monkeypatch.context() as held:
        held.setattr(busy.store, "figures", away)
        assert await metrics_of(busy) == {}
    # when it is back
    assert len(await metrics_of(busy)) == len(BUSINESS)


async def test_a_figure_that_is_not_counted_in_time_takes_no_other_away(
    busy: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def late(_now: object) -> BusinessFigures:
        return BusinessFigures(
            registrations=None, active_children={"2026-11-23": 2}, deliveries=None
        )

    monkeypatch.setattr(busy.store, "figures", late)
    handler = analytics_of(busy)
    answer = await handler.handle(GetSystemAnalytics(), Scope.of(ANALYST, "GetSystemAnalytics"))
    assert answer.ttl == TTL_WHILE_INCOMPLETE
    found = answer.content.model_dump(mode="json")
    assert found["days"][1] == {"day": "2026-11-23", "registrations": None, "active_children": 2}
    assert found["notifications"] is None
    assert found["children"]["active"] == 2
    assert (await metrics_of(busy)).keys() == {"teddy_children", "teddy_active_children"}


class SlowDatabase:
    """Of MongoDB: whatever is a pipeline runs out of time, what is a command does not."""

    def __getitem__(self, _name: str) -> "SlowDatabase":
        return self

    async def aggregate(self, _pipeline: object, **_options: object) -> None:
        raise ExecutionTimeout("operation exceeded time limit")

    async def command(self, *_what: object, **_how: object) -> dict[str, int]:
        return {"n": 3}


async def test_each_question_to_mongodb_has_its_own_limit():
    counted = FiguresInMongo(cast(Any, SlowDatabase()), KeptGeneration(Generation(1), 7), 10)
    found = await counted.read(NOON)
    assert found.active_children == {"2026-11-22": 3, "2026-11-23": 3}
    assert (found.registrations, found.deliveries) == (None, None)
    assert (found.open_violations, found.resolutions) == (None, None)


async def test_a_reading_that_fails_for_whatever_reason_is_not_the_last(
    busy: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def broken(_now: object) -> BusinessFigures:
        raise KeyError("at")

    with monkeypatch.context() as held:
        held.setattr(busy.store, "figures", broken)
        assert await metrics_of(busy) == {}
    assert len(await metrics_of(busy)) == len(BUSINESS)


async def test_after_midnight_yesterdays_numbers_are_not_shown_as_todays(busy: QuerySide):
    busy.now = datetime(2026, 11, 23, 23, 59, 30, tzinfo=UTC)
    assert len(await metrics_of(busy)) == len(BUSINESS)
    busy.now += timedelta(seconds=31)
    assert set(BUSINESS) - (await shown(busy)).keys() == {
        "teddy_registrations",
        "teddy_active_children",
    }


async def test_what_nobody_read_again_is_not_shown_for_ever(busy: QuerySide):
    await metrics_of(busy)
    busy.now += OLDEST
    assert len(await shown(busy)) == len(BUSINESS)
    busy.now += timedelta(seconds=1)
    assert await shown(busy) == {}
