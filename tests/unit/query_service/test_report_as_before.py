"""The report in pages tells what the report of one list told, of whatever violations."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.read_store.port import Period
from query_service.read_store.violations import listed_in
from shared.read_models.documents import OTHER, ViolationEntry
from tests.support.former_safety_report import former_report
from tests.support.query_side import QuerySide
from tests.support.read_model_builders import NOON, safety_document, violation

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
) -> None:
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
