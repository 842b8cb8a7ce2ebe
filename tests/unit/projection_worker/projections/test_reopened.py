"""What resolutions, reopenings and assignments change in the read models."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection_worker.projections.registry import ChildView, contribution
from shared.events.child import ChildEvent, Outcome, Severity
from shared.read_models.documents import Model
from tests.support.projection_facts import (
    MIA,
    acknowledged,
    assigned,
    later,
    registered,
    reopened,
    reported,
    resolved,
    sealed,
    view_of,
)

CHECKED_AT = ("version", "updated_at", "last_safety_check")
"""What says that something was done, whatever it was."""


def violation(view: ChildView, number: int = 1) -> Any:
    return view.documents[Model.VIOLATIONS, f"{MIA}/violation-{number}"]


def numbers(view: ChildView) -> dict[str, Any]:
    assert view.child is not None
    return {name: value for name, value in view.child.items() if name not in CHECKED_AT}


@given(
    st.lists(st.sampled_from(Severity), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Outcome)), max_size=8),
)
def test_once_all_is_reopened_the_numbers_are_as_if_nothing_had_been_resolved(
    severities: Sequence[Severity], decisions: Sequence[tuple[int, Outcome]]
):
    # given
    reports = [reported(number, one) for number, one in enumerate(severities)]
    there_and_back: list[ChildEvent] = []
    for number, outcome in decisions:
        of = (number % len(severities), severities[number % len(severities)], outcome)
        there_and_back += [resolved(*of), reopened(*of)]
    # when
    before = view_of(registered(), *reports)
    after = view_of(registered(), *reports, *there_and_back)
    # then
    assert numbers(after) == numbers(before)
    assert contribution(after.child) == contribution(before.child)
    assert after.documents[Model.SAFETY, MIA] == before.documents[Model.SAFETY, MIA]
    assert after.alerts == before.alerts


def test_a_reopening_is_a_safety_check():
    child = view_of(registered(), reported(), resolved(), reopened()).child

    assert child is not None
    assert child["last_safety_check"] == later(7)


@pytest.mark.parametrize("severity", Severity)
def test_a_reopening_raises_no_alert_and_leaves_read_ones_read(severity: Severity):
    seen = (reported(1, severity), acknowledged(1))

    before = view_of(registered(), *seen)
    after = view_of(registered(), *seen, resolved(1, severity), reopened(1, severity))

    assert after.alerts == before.alerts
    assert after.acknowledged == before.acknowledged


def test_a_resolution_has_a_note_and_says_whose_it_was():
    note = sealed("note", version=3)
    view = view_of(registered(), reported(), resolved(note=note, resolved_by="officer-1"))

    seen = violation(view)
    assert (seen["note"], seen["resolved_by"]) == ("3.note.ciphertext", "officer-1")


def test_a_resolution_as_it_was_published_before_leaves_the_document_as_it_was_made_then():
    seen = violation(view_of(registered(), reported(), resolved()))

    assert {"note", "resolved_by"}.isdisjoint(seen)


def test_a_reopened_violation_is_open_and_has_its_history():
    note = sealed("note", version=3)
    done = (registered(), reported(), resolved(note=note, resolved_by="officer-1"))

    once = violation(view_of(*done, reopened()))
    twice = violation(view_of(*done, reopened(), resolved(), reopened()))

    nobody = dict.fromkeys(("resolved_at", "outcome", "resolved_by"))
    assert {name: once[name] for name in nobody} == nobody
    assert (once["note"], once["reason"]) == ("3.note.ciphertext", "1.reason.ciphertext")
    assert (once["reopenings"], twice["reopenings"]) == (1, 2)
    assert twice["note"] is None


def test_a_violation_keeps_its_assignee_until_another_is_said():
    reports = (registered(), reported(1), reported(2), assigned(1))

    assert violation(view_of(*reports))["assignee"] == "officer-1"
    assert "assignee" not in violation(view_of(*reports), 2)
    assert violation(view_of(*reports, resolved(1), reopened(1)))["assignee"] == "officer-1"
    assert violation(view_of(*reports, assigned(1, None)))["assignee"] is None


def test_what_was_never_reported_is_neither_reopened_nor_assigned():
    view = view_of(registered(), reopened(1), assigned(1))

    assert (Model.VIOLATIONS, f"{MIA}/violation-1") not in view.documents
