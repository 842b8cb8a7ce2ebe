"""Periods of a safety report, and that counts, pages and projections agree in each."""

import asyncio
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projection_worker.projections.registry import ChildView, apply_all
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.read_store.port import Period
from query_service.read_store.violations import listed_in
from shared.events.child import (
    AlertPolicy,
    AlertPolicyConfigured,
    ChildEvent,
    Outcome,
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
)
from shared.read_models.documents import OTHER, Model, ViolationEntry
from tests.support.former_safety_report import former_report
from tests.support.projection_facts import MIA, later
from tests.support.query_side import ADMIN, QuerySide
from tests.support.read_model_builders import NOON, safety_document, violation

AT = {
    "last moment of October": datetime(2026, 10, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    "first moment of November": datetime(2026, 11, 1, tzinfo=UTC),
    "last moment of that day": datetime(2026, 11, 1, 23, 59, 59, 999_000, tzinfo=UTC),
    "first moment of the next": datetime(2026, 11, 2, tzinfo=UTC),
}
OCTOBER, FIRST, LAST, NEXT = AT


@pytest.mark.parametrize(
    ("period", "found"),
    [
        ("from=2026-11-01", {FIRST, LAST, NEXT}),
        ("to=2026-11-01", {OCTOBER, FIRST, LAST}),
        ("from=2026-11-01&to=2026-11-01", {FIRST, LAST}),
        ("from=2026-10-31&to=2026-11-02", set(AT)),
        ("from=2026-11-01&to=2026-11-01T00:00:00.001Z", {FIRST}),
        ("from=2026-11-02T00:00:00%2B00:30&to=2026-11-02t00:00:00z", {LAST}),
    ],
)
async def test_a_day_counts_from_its_beginning_to_its_end(period: str, found: set[str]):
    side = QuerySide()
    await side.child("lena")
    side.report("lena", *(violation(name, at=at) for name, at in AT.items()))
    answer = await side.get(f"/v1/children/lena/safety-report?{period}", ADMIN)
    assert answer.status_code == 200, answer.text
    assert {each["violation_id"] for each in answer.json()["violations"]} == found


async def test_the_answer_says_what_a_day_stood_for():
    side = QuerySide()
    await side.child("lena")
    answer = await side.get("/v1/children/lena/safety-report?from=2026-11-01&to=2026-11-30", ADMIN)

    reported = answer.json()
    assert (reported["from"], reported["to"]) == (
        "2026-11-01T00:00:00.000Z",
        "2026-12-01T00:00:00.000Z",
    )


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-30",
        "2026-13-01",
        "20261123",
        "2026-W48-1",
        "1763900000",
        "yesterday",
        "2026-11-23T12:00:00",
        "2026-11-23 12:00:00Z",
        "2026-11-23T12:00:00+01:00",  # in a URL the + is a space
        "2026-11-23T25:00:00Z",
        "٢٠٢٦-11-23",
        "",
    ],
)
@pytest.mark.parametrize("name", ["from", "to"])
async def test_what_is_no_moment_gets_which_forms_there_are(name: str, moment: str):
    side = QuerySide()
    answer = await side.get(f"/v1/children/lena/safety-report?{name}={moment}", ADMIN)

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, name)
    assert error["message"].startswith("must be a time with a zone, as 2026-11-23T12:00:00Z")
    assert error["limit"] == "an RFC 3339 time with a zone, or a UTC day"


@pytest.mark.parametrize(
    "moment", ["1999-12-31", "2200-01-02", "0001-01-01T00:00:00%2B14:00", "9999-12-31"]
)
async def test_a_moment_out_of_reach_gets_the_bounds(moment: str):
    side = QuerySide()
    answer = await side.get(f"/v1/children/lena/safety-report?to={moment}", ADMIN)

    (error,) = answer.json()["errors"]
    assert error["message"] == "must lie between 2000-01-01 and 2200-01-01"


AGES = timedelta(days=36_500)
OF_EITHER = ("from", "to")


def some_life(chance: random.Random, reports: int, categories: int) -> Iterator[ChildEvent]:
    """Reports by a policy that changes, half of them resolved."""
    for number in range(reports):
        if number % 40 == 0:
            policy = AlertPolicy(threshold=chance.choice(list(Severity)))
            yield AlertPolicyConfigured(child_id=MIA, at=later(number), policy=policy)
        severity = chance.choice(list(Severity))
        violation_id, kind = f"violation-{number}", f"kind-{chance.randrange(categories)}"
        yield SafetyViolationReported(
            child_id=MIA,
            at=later(number + chance.randrange(-30, 30)),
            violation_id=violation_id,
            violation_type=kind,
            severity=severity,
            details=None,
            conversation_id=None,
        )
        if chance.random() < 0.5:
            yield SafetyViolationResolved(
                child_id=MIA,
                at=later(number),
                violation_id=violation_id,
                violation_type=kind,
                outcome=chance.choice(list(Outcome)),
                severity=severity,
            )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("reports", "categories"), [(0, 1), (7, 3), (400, 12), (400, 250)])
def test_a_report_of_all_times_is_that_of_a_period_that_covers_them(
    seed: int, reports: int, categories: int
):
    # given violations of more categories than are told apart, or of fewer
    side = QuerySide()
    events = list(some_life(random.Random(seed), reports, categories))
    asyncio.run(_project(side, events))
    # when
    ever, period = asyncio.run(_both(side))
    # then each goes on by a cursor of its own
    cursors = [report.pop("next_cursor") for report in (ever, period)]
    assert [cursor is not None for cursor in cursors] == [reports > 200] * 2
    assert {**period, **dict.fromkeys(OF_EITHER)} == ever
    assert ever["total_violations"] == reports
    assert len(ever["violations_by_category"]) <= 101


async def _project(side: QuerySide, events: Iterable[ChildEvent]) -> None:
    numbered = [(event, number, f"{MIA}@{number}") for number, event in enumerate(events, 1)]
    view = apply_all(ChildView(), numbered)
    counted: dict[str, Any] = {**(view.child or {})}
    names = ("open_violations_count", "updated_at", "version")
    await side.child(MIA, **{name: counted[name] for name in names if name in counted})
    for (model, key), document in view.documents.items():
        place = {
            Model.SAFETY: side.store.safety_documents,
            Model.VIOLATIONS: side.store.violations,
        }.get(model)
        if place is not None:
            cast(dict[str, Any], place)[key] = document


async def _both(side: QuerySide) -> tuple[dict[str, Any], dict[str, Any]]:
    beginning, end = later(0) - AGES, later(0) + AGES
    ever = await side.ask(GetChildSafetyReport(MIA, limit=200))
    return ever, await side.ask(GetChildSafetyReport(MIA, beginning, end, limit=200))


HOURS = st.integers(-24 * 70, 24)
MOMENTS = HOURS.map(lambda hours: NOON + timedelta(hours=hours))
OUTCOMES = st.sampled_from([None, "confirmed", "false_positive"])


@st.composite
def some_violations(draw: st.DrawFn) -> list[ViolationEntry]:
    """Some of the same moment, in any order."""

    def one(number: int) -> ViolationEntry:
        outcome = draw(OUTCOMES)
        return violation(
            f"v{number:03}",
            type=draw(st.sampled_from(["bullying", "secrets", OTHER])),
            severity=draw(st.sampled_from(["low", "medium", "high", "critical"])),
            at=draw(MOMENTS),
            alerted=draw(st.sampled_from([None, "count", "threshold"])),
            outcome=outcome,
            resolved_at=None if outcome is None else NOON,
        )

    return [one(number) for number in range(draw(st.integers(0, 12)))]


@st.composite
def some_period(draw: st.DrawFn) -> Period:
    since, until = draw(st.none() | MOMENTS), draw(st.none() | MOMENTS)
    if since is not None and until is not None and since >= until:
        until = since + timedelta(hours=1)
    return Period(since, until)


@pytest.mark.parametrize("projections", [7, 6])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(some_violations(), some_period(), st.integers(1, 5), st.integers(0, 1))
def test_all_pages_together_are_the_report_of_one_list(
    projections: int, violations: list[ViolationEntry], period: Period, limit: int, flagged: int
):
    # given what today's projections keep, or those before 7
    entries = listed_in(safety_document("lena", *violations))
    expected = former_report(entries, period, NOON, flagged)
    report = asyncio.run(_all_pages(projections, violations, period, limit, flagged))
    assert {name: report[name] for name in expected} == expected


async def _all_pages(
    projections: int, violations: Sequence[ViolationEntry], period: Period, limit: int, flagged: int
) -> dict[str, Any]:
    side = QuerySide()
    await side.child("lena", updated_at=NOON, flagged_content_count=flagged)
    if projections < 7:
        side.store.projections = projections
        side.store.safety_documents["lena"] = safety_document("lena", *violations)
        counted: dict[str, int] = {}
        for one in violations:
            counted[one["type"]] = counted.get(one["type"], 0) + 1
        side.store.safety_documents["lena"]["violations_by_category"] = counted
    elif violations:
        side.report("lena", *violations)
    pages = [await _page(side, period, limit, None)]
    while pages[-1]["next_cursor"] is not None:
        pages.append(await _page(side, period, limit, pages[-1]["next_cursor"]))
    ids = [one["violation_id"] for page in pages for one in page["violations"]]
    for page in pages:
        page["violations"] = ids
        page["next_cursor"] = None
        assert page == pages[0]
    return pages[0]


async def _page(side: QuerySide, period: Period, limit: int, cursor: str | None) -> dict[str, Any]:
    since, until = cast(tuple[datetime | None, ...], (period.since, period.until))
    page = await side.ask(GetChildSafetyReport("lena", since, until, limit, cursor))
    assert len(page["violations"]) <= limit
    return cast(dict[str, Any], page)
