from datetime import timedelta
from typing import Any

import pytest

from query_service.queries.get_child_conversations import GetChildConversations
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.queries.query import RequestRefused
from query_service.queries.safety_assessment import SafetyTrend, recommendations
from query_service.read_store.port import ViolationCounts
from query_service.read_store.violations import counts_of, listed_in
from shared.read_models.deliveries import DeliveryState, delivery_of
from shared.read_models.documents import ViolationEntry
from tests.support.query_side import QuerySide
from tests.support.read_model_builders import NOON, safety_document, sealed, violation

DAY = timedelta(days=1)


def counted(violations: list[ViolationEntry]) -> ViolationCounts:
    documents = listed_in(safety_document("lena", *violations))
    return counts_of(documents, {one["type"] for one in documents})


def codes(violations: list[ViolationEntry], flagged_without_report: bool = False) -> list[str]:
    return [advice.code for advice in recommendations(counted(violations), flagged_without_report)]


async def trend_of(side: QuerySide, *violations: ViolationEntry) -> str:
    await side.child("lena", updated_at=NOON)
    side.report("lena", *violations)
    report = await side.ask(GetChildSafetyReport("lena"))
    return str(report["safety_trend"])


def some(count: int, **fields: Any) -> list[ViolationEntry]:
    """Violations that differ in type, so that none repeats itself."""
    return [violation(f"v{number}", **{"type": f"t{number}"} | fields) for number in range(count)]


async def test_a_child_without_incidents_is_well(side: QuerySide):
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


async def test_a_report_lists_the_incidents_with_their_details_open(side: QuerySide):
    # given
    await side.child("lena", safety_score=70.0, safety_status="fair", flagged_content_count=2)
    cipher = await side.keyring.create("lena")
    details = sealed(cipher, "lena", "details", "said something rude", version=2)
    side.report(
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


async def test_a_period_includes_its_beginning_and_excludes_its_end(side: QuerySide):
    await side.child("lena")
    side.report("lena", *(violation(f"v{day}", at=NOON + day * DAY) for day in range(4)))
    report = await side.ask(GetChildSafetyReport("lena", NOON + DAY, NOON + 3 * DAY))
    assert [entry["violation_id"] for entry in report["violations"]] == ["v2", "v1"]
    assert report["total_violations"] == 2
    assert report["from"] == "2026-11-24T12:00:00.000Z"


async def test_a_report_comes_in_pages_whose_numbers_are_of_the_whole_period(side: QuerySide):
    # given five, two of them of the same moment
    await side.child("lena")
    side.report("lena", *(violation(f"v{one}", at=NOON + one // 2 * DAY) for one in range(5)))
    # when
    first = await side.ask(GetChildSafetyReport("lena", limit=2))
    second = await side.ask(GetChildSafetyReport("lena", limit=2, cursor=first["next_cursor"]))
    third = await side.ask(GetChildSafetyReport("lena", limit=2, cursor=second["next_cursor"]))
    # then
    pages = [[one["violation_id"] for one in page["violations"]] for page in (first, second, third)]
    assert pages == [["v4", "v2"], ["v3", "v0"], ["v1"]]
    assert third["next_cursor"] is None
    of_the_page = ("violations", "next_cursor")
    rest = [
        {name: value for name, value in page.items() if name not in of_the_page}
        for page in (first, second, third)
    ]
    assert rest[0] == rest[1] == rest[2]
    assert rest[0]["total_violations"] == 5
    assert rest[0]["last_violation_at"] == "2026-11-25T12:00:00.000Z"


async def test_a_cursor_of_another_list_is_refused(side: QuerySide):
    # given a cursor of conversations
    await side.child("lena")
    for number in range(2):
        side.conversation("lena", f"c{number}")
    cursor = (await side.ask(GetChildConversations("lena", limit=1)))["next_cursor"]
    # when / then
    with pytest.raises(RequestRefused) as refused:
        await side.ask(GetChildSafetyReport("lena", cursor=cursor))
    assert refused.value.field == "cursor"


async def test_what_is_not_told_apart_is_nothing_to_look_into(side: QuerySide):
    # given four that count as `other`, and three that repeat themselves
    await side.child("lena")
    counted = {"secrets": 3, "other": 4}
    side.report(
        "lena",
        *(violation(f"s{number}", type="secrets") for number in range(3)),
        *(violation(f"o{number}", type=f"rare-{number}") for number in range(4)),
        violations_by_category=counted,
    )
    # when
    report = await side.ask(GetChildSafetyReport("lena"))
    # then
    assert report["violations_by_category"] == counted
    repeated = [one["category"] for one in report["recommendations"] if one["category"]]
    assert repeated == ["secrets"]


async def test_categories_beyond_those_told_apart_count_as_other_also_in_a_period(side: QuerySide):
    # given a safety document that tells only one category apart
    await side.child("lena")
    side.report(
        "lena",
        *(violation(name, type=name) for name in ("secrets", "address", "school")),
        violations_by_category={"secrets": 1, "other": 2},
    )
    # when
    ever = await side.ask(GetChildSafetyReport("lena"))
    period = await side.ask(GetChildSafetyReport("lena", NOON - DAY, NOON + DAY))
    # then
    assert period["violations_by_category"] == {"secrets": 1, "other": 2}
    assert period["violations_by_category"] == ever["violations_by_category"]


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
async def test_the_trend_compares_thirty_days_with_the_thirty_before(
    side: QuerySide, days_ago: list[int], trend: SafetyTrend
):
    violations = [violation(f"v{ago}", at=NOON - ago * DAY) for ago in days_ago]
    assert await trend_of(side, *violations) == trend


async def test_in_the_trend_a_confirmed_violation_counts_half_and_a_false_one_not_at_all(
    side: QuerySide,
):
    # given 20/2 points lately against 10 before
    confirmed = violation("v1", severity="high", outcome="confirmed")
    false = violation("v2", severity="critical", outcome="false_positive")
    before = violation("v3", severity="medium", at=NOON - 40 * DAY)
    assert await trend_of(side, confirmed, false, before) == SafetyTrend.STABLE


def test_more_than_five_violations_an_open_one_and_flagged_content_ask_for_a_look():
    assert codes(some(5, resolved_at=NOON)) == ["all-is-well"]
    assert codes(some(6, resolved_at=NOON)) == ["review-topics-and-filters"]
    assert codes(some(1, resolved_at=NOON) + some(1)) == ["resolve-open-violations"]
    assert codes([], flagged_without_report=True) == ["review-flagged-content"]


@pytest.mark.parametrize("severity", ["high", "critical"])
@pytest.mark.parametrize("alerted", [None, "count"])
def test_a_severe_violation_that_was_not_told_at_once_asks_for_immediate_notifications(
    severity: str, alerted: str | None
):
    violations = some(1, severity=severity, alerted=alerted)
    assert codes(violations) == ["enable-immediate-notifications"]


def test_notifications_are_not_asked_for_where_one_was_sent_at_once_or_it_is_not_known():
    noted = some(2, severity="high", alerted="threshold", resolved_at=NOON)
    assert codes(noted) == ["all-is-well"]
    # given what older projections wrote
    (entry,) = some(1, severity="critical", resolved_at=NOON)
    del entry["alerted"]
    assert codes([entry]) == ["all-is-well"]


def test_a_category_that_repeats_itself_is_named():
    violations = some(3, type="bullying") + some(2, type="secrets")
    (advice,) = recommendations(counted(violations), flagged_without_report=False)
    assert advice.code == "repeated-category"
    assert advice.category == "bullying"
    assert "3 times" in advice.text


def test_recommendations_come_in_order_of_urgency():
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
    advice = recommendations(counted(violations), False)
    named = [one.category for one in advice if one.category]
    assert named == ["a", "b"]


async def test_flagged_content_is_no_news_once_something_was_reported(side: QuerySide):
    # given
    await side.child("lena", flagged_content_count=2)
    unreported = await side.ask(GetChildSafetyReport("lena"))
    side.report("lena", violation("v1", resolved_at=NOON))
    side.change("lena")
    # when
    reported = await side.ask(GetChildSafetyReport("lena"))
    # then
    assert unreported["recommendations"][0]["code"] == "review-flagged-content"
    assert reported["recommendations"][0]["code"] == "all-is-well"


async def test_what_was_delivered_waits_or_was_given_up_is_counted_apart(side: QuerySide):
    # given three alerts by two channels, of which an older release told one
    await side.child("lena")
    noted = {"in_app": NOON}
    for number, delivered in enumerate((noted, {**noted, "webhook": NOON}, noted)):
        alert = side.alert(f"a{number}", child_id="lena", delivered=delivered)
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
