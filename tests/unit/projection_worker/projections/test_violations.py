"""One document a violation: what it says, and what its resolution and acknowledgement change."""

from typing import Any

from projection_worker.projections.registry import ChildView, places_of
from shared.events.child import Outcome, Severity
from shared.read_models.documents import Model
from tests.support.projection_facts import (
    MIA,
    TALK,
    acknowledged,
    later,
    registered,
    reported,
    resolved,
    sealed,
    view_of,
)


def violation(view: ChildView, number: int = 1) -> Any:
    return view.documents[Model.VIOLATIONS, f"{MIA}/violation-{number}"]


def test_a_violation_has_what_was_reported() -> None:
    details = sealed("details", version=2)

    seen = violation(
        view_of(registered(), reported(1, Severity.HIGH, details=details, conversation_id=TALK))
    )

    assert seen == {
        "_id": f"{MIA}/violation-1",
        "child_id": MIA,
        "id": "violation-1",
        "type": "rude_words",
        "severity": "high",
        "at": later(1),
        "conversation_id": TALK,
        "details": "2.details.ciphertext",
        "resolved_at": None,
        "outcome": None,
        "alerted": "threshold",
        "acknowledged_at": None,
    }


def test_a_resolution_marks_its_violation_and_no_other() -> None:
    view = view_of(
        registered(), reported(1), reported(2), resolved(2, outcome=Outcome.FALSE_POSITIVE)
    )

    first, second = violation(view, 1), violation(view, 2)
    assert (first["outcome"], first["resolved_at"]) == (None, None)
    assert (second["outcome"], second["resolved_at"]) == ("false_positive", later(5))


def test_an_acknowledgement_marks_its_violation_and_the_first_one_counts() -> None:
    view = view_of(
        registered(), reported(1), reported(2), acknowledged(2), acknowledged(2, minutes=9)
    )

    assert violation(view, 1)["acknowledged_at"] is None
    assert violation(view, 2)["acknowledged_at"] == acknowledged(2).at


def test_a_second_report_counts_and_leaves_the_violation_as_it_was() -> None:
    once = view_of(registered(), reported(1), resolved(1))

    twice = view_of(registered(), reported(1), resolved(1), reported(1, Severity.HIGH, minutes=9))

    assert violation(twice) == violation(once)
    assert twice.documents[Model.SAFETY, MIA]["total_violations"] == 2
    assert twice.child is not None
    assert twice.child["safety_violations_count"] == 2


def test_what_was_never_reported_is_neither_resolved_nor_acknowledged() -> None:
    view = view_of(registered(), resolved(1), acknowledged(1))

    assert (Model.VIOLATIONS, f"{MIA}/violation-1") not in view.documents
    assert (Model.VIOLATIONS, f"{MIA}/violation-1") in places_of(resolved(1))
