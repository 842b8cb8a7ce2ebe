"""What the projections count as events come, and what the database counts in a period, agree."""

import asyncio
import random
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from projection_worker.projections.registry import ChildView, apply_all
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from shared.events.child import (
    AlertPolicy,
    AlertPolicyConfigured,
    ChildEvent,
    Outcome,
    SafetyViolationReported,
    SafetyViolationResolved,
    Severity,
)
from shared.read_models.documents import Model
from tests.support.projection_facts import MIA, later
from tests.support.query_side import QuerySide

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
) -> None:
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
