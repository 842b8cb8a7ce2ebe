from datetime import timedelta
from typing import Any

import pytest

from query_service.queries.errors import ChildNotFound, RequestRefused
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.queries.safety_assessment import SafetyTrend, recommendations, safety_trend
from query_service.scope import Forbidden
from shared.read_models.deliveries import DeliveryState, delivery_of
from shared.read_models.documents import ViolationEntry
from tests.support.query_side import QuerySide, device, parent
from tests.support.read_model_builders import (
    NOON,
    alert_document,
    safety_document,
    sealed,
    violation,
)

DAY = timedelta(days=1)


def codes(violations: list[ViolationEntry], flagged_without_report: bool = False) -> list[str]:
    return [advice.code for advice in recommendations(violations, flagged_without_report)]


def some(count: int, **fields: Any) -> list[ViolationEntry]:
    """Violations that differ in type, so that none repeats itself."""
    return [violation(f"v{number}", **{"type": f"t{number}"} | fields) for number in range(count)]


async def test_a_child_without_incidents_is_well(side: QuerySide) -> None:
    # given no safety document
    await side.child("lena", version=5)
    # when
    report = await side.ask(GetChildSafetyReport("lena"))
    # then
    assert report["total_violations"] == 0
    assert report["violations"] == []
    assert report["violations_by_severity"] == {"low": 0, "medium": 0, "high": 0, "critical": 0}
    assert report["last_violation_at"] is None
    assert report["safety_trend"] == "stable"
    assert [advice["code"] for advice in report["recommendations"]] == ["all-is-well"]
    assert report["version"] == 5
    assert (report["from"], report["to"]) == (None, None)


async def test_a_report_lists_the_incidents_with_their_details_open(side: QuerySide) -> None:
    # given
    await side.child("lena", safety_score=70.0, safety_status="fair", flagged_content_count=2)
    cipher = await side.keyring.create("lena")
    details = sealed(cipher, "lena", "details", "said something rude", version=2)
    side.store.safety_documents["lena"] = safety_document(
        "lena",
        violation("v1", severity="high", details=details, at=NOON - DAY, conversation_id="c1"),
        violation("v2", resolved_at=NOON, outcome="confirmed"),
    )
    # when
    report = await side.ask(GetChildSafetyReport("lena"))
    # then
    newest, oldest = report["violations"]
    assert (newest["violation_id"], newest["resolved"], newest["outcome"]) == (
        "v2",
        True,
        "confirmed",
    )
    assert (oldest["violation_id"], oldest["resolved"]) == ("v1", False)
    assert oldest["details"] == "said something rude"
    assert oldest["conversation_id"] == "c1"
    assert report["total_violations"] == 2
    assert report["open_violations"] == 1
    assert report["high_severity_violations"] == 1
    assert report["violations_by_severity"] == {"low": 1, "medium": 0, "high": 1, "critical": 0}
    assert report["violations_by_category"] == {"bullying": 2}
    assert report["last_violation_at"] == "2026-11-23T12:00:00.000Z"
    assert (report["safety_score"], report["safety_status"]) == (70.0, "fair")
    assert report["flagged_content_count"] == 2
    assert report["parent_notifications_sent"] == 0


async def test_a_period_includes_its_beginning_and_excludes_its_end(side: QuerySide) -> None:
    # given
    await side.child("lena")
    side.store.safety_documents["lena"] = safety_document(
        "lena", *(violation(f"v{day}", at=NOON + day * DAY) for day in range(4))
    )
    # when
    report = await side.ask(GetChildSafetyReport("lena", NOON + DAY, NOON + 3 * DAY))
    # then
    assert [entry["violation_id"] for entry in report["violations"]] == ["v2", "v1"]
    assert report["total_violations"] == 2
    assert report["from"] == "2026-11-24T12:00:00.000Z"


async def test_a_period_that_ends_before_it_begins_is_refused(side: QuerySide) -> None:
    # given
    await side.child("lena")
    # when / then
    with pytest.raises(RequestRefused) as refused:
        await side.ask(GetChildSafetyReport("lena", NOON, NOON))
    assert refused.value.field == "to"


async def test_only_who_may_see_the_child_sees_its_report(side: QuerySide) -> None:
    # given
    await side.child("lena", parent_id="weiss", device_id="bear-7")
    # when / then
    assert await side.ask(GetChildSafetyReport("lena"), parent("weiss"))
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildSafetyReport("lena"), parent("braun"))
    # what was reported about a child is nothing for its bear
    with pytest.raises(Forbidden):
        await side.ask(GetChildSafetyReport("lena"), device("bear-7"))


@pytest.mark.parametrize(
    ("days_ago", "trend"),
    [
        ([10, 40], SafetyTrend.STABLE),
        ([10], SafetyTrend.DECLINING),
        ([40], SafetyTrend.IMPROVING),
        ([30], SafetyTrend.IMPROVING),
        ([0], SafetyTrend.DECLINING),
        ([60, 61], SafetyTrend.STABLE),
        ([], SafetyTrend.STABLE),
    ],
)
def test_the_trend_compares_thirty_days_with_the_thirty_before(
    days_ago: list[int], trend: SafetyTrend
) -> None:
    violations = [violation(f"v{ago}", at=NOON - ago * DAY) for ago in days_ago]
    assert safety_trend(violations, NOON) == trend


def test_in_the_trend_a_confirmed_violation_counts_half_and_a_false_one_not_at_all() -> None:
    # given 20/2 points lately against 10 before
    confirmed = violation("v1", severity="high", outcome="confirmed")
    false = violation("v2", severity="critical", outcome="false_positive")
    before = violation("v3", severity="medium", at=NOON - 40 * DAY)
    # when / then
    assert safety_trend([confirmed, false, before], NOON) == SafetyTrend.STABLE


def test_more_than_five_violations_ask_for_a_review() -> None:
    assert codes(some(5, resolved_at=NOON)) == ["all-is-well"]
    assert codes(some(6, resolved_at=NOON)) == ["review-topics-and-filters"]


def test_all_is_not_well_while_a_violation_is_open() -> None:
    assert codes(some(1, resolved_at=NOON) + some(1)) == ["resolve-open-violations"]


@pytest.mark.parametrize("severity", ["high", "critical"])
@pytest.mark.parametrize("alerted", [None, "count"])
def test_a_severe_violation_that_was_not_told_at_once_asks_for_immediate_notifications(
    severity: str, alerted: str | None
) -> None:
    violations = some(1, severity=severity, alerted=alerted)
    assert codes(violations) == ["enable-immediate-notifications"]


def test_notifications_are_not_asked_for_where_one_was_sent_at_once() -> None:
    told = some(2, severity="high", alerted="threshold", resolved_at=NOON)
    assert codes(told) == ["all-is-well"]


def test_a_violation_of_which_it_is_not_known_asks_for_nothing() -> None:
    # given what older projections wrote
    (entry,) = some(1, severity="critical", resolved_at=NOON)
    del entry["alerted"]
    # when / then
    assert codes([entry]) == ["all-is-well"]


def test_a_category_that_repeats_itself_is_named() -> None:
    # given
    violations = some(3, type="bullying") + some(2, type="secrets")
    # when
    (advice,) = recommendations(violations, flagged_without_report=False)
    # then
    assert advice.code == "repeated-category"
    assert advice.category == "bullying"
    assert "3 times" in advice.text


def test_flagged_content_without_a_report_is_to_be_reviewed() -> None:
    assert codes([], flagged_without_report=True) == ["review-flagged-content"]


def test_recommendations_come_in_order_of_urgency() -> None:
    # given
    violations = some(3, type="b", severity="high") + some(4, type="a")
    # when / then
    assert codes(violations, flagged_without_report=True) == [
        "review-topics-and-filters",
        "enable-immediate-notifications",
        "repeated-category",
        "repeated-category",
        "review-flagged-content",
    ]
    named = [advice.category for advice in recommendations(violations, False) if advice.category]
    assert named == ["a", "b"]


async def test_flagged_content_is_no_news_once_something_was_reported(side: QuerySide) -> None:
    # given
    await side.child("lena", flagged_content_count=2)
    unreported = await side.ask(GetChildSafetyReport("lena"))
    side.store.safety_documents["lena"] = safety_document("lena", violation("v1", resolved_at=NOON))
    side.change("lena")
    # when
    reported = await side.ask(GetChildSafetyReport("lena"))
    # then
    assert unreported["recommendations"][0]["code"] == "review-flagged-content"
    assert reported["recommendations"][0]["code"] == "all-is-well"


async def test_what_was_delivered_waits_or_was_given_up_is_counted_apart(side: QuerySide) -> None:
    # given three alerts by two channels, of which an older release told one
    await side.child("lena")
    told = {"in_app": NOON}
    for number, delivered in enumerate((told, {**told, "webhook": NOON}, told)):
        alert = alert_document(f"a{number}", child_id="lena", delivered=delivered)
        side.store.alerts[alert["_id"]] = alert
        for channel in ("in_app", "webhook"):
            delivery = delivery_of(alert, channel, NOON)
            side.store.deliveries[delivery["_id"]] = delivery
            if channel in delivered:
                delivery["state"] = DeliveryState.DELIVERED
    side.store.deliveries["a2:webhook"]["state"] = DeliveryState.FAILED
    # when
    report = await side.ask(GetChildSafetyReport("lena"))
    # then
    counted = ("sent", "pending", "failed")
    assert [report[f"parent_notifications_{one}"] for one in counted] == [4, 1, 1]
