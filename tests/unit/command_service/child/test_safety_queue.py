"""What the staff do about reported violations: look into them, resolve and reopen them."""

from dataclasses import replace

import pytest

from command_service.child.errors import (
    ChildErasedError,
    FieldError,
    ViolationAlreadyAssigned,
    ViolationAlreadyResolved,
    ViolationNotFound,
    ViolationNotResolved,
)
from shared.events.child import ChildEvent, Outcome
from shared.events.personal import Personal
from tests.support.child_facts import (
    ACKNOWLEDGE,
    ACKNOWLEDGED,
    ASSIGN,
    ASSIGNED,
    DEACTIVATED,
    ERASED,
    LATER,
    REGISTERED,
    REOPEN,
    REOPENED,
    REPORT,
    REPORTED,
    RESOLVE,
    RESOLVED,
)
from tests.support.decider_spec import given, wrong_length


def test_a_resolution_says_why_and_who_said_so():
    command = replace(RESOLVE, note="  a line\nof a song ", resolved_by="officer-1")
    note = Personal("a line\nof a song")
    given(REGISTERED, REPORTED).when(command).then(
        replace(RESOLVED, at=LATER, note=note, resolved_by="officer-1")
    )


@pytest.mark.parametrize("note", [None, "", " \n"])
def test_a_resolution_needs_no_note(note: str | None):
    given(REGISTERED, REPORTED).when(replace(RESOLVE, note=note)).then(replace(RESOLVED, at=LATER))


def test_notes_and_reasons_have_limits():
    past = (REGISTERED, REPORTED)
    given(*past).when(replace(RESOLVE, note="x" * 2_001)).then_invalid(
        wrong_length("note", 1, 2000)
    )
    given(*past, RESOLVED).when(replace(REOPEN, reason="x" * 501)).then_invalid(
        wrong_length("reason", 1, 500)
    )
    given(*past, RESOLVED).when(replace(REOPEN, reason=" ")).then_invalid(
        wrong_length("reason", 1, 500)
    )


@pytest.mark.parametrize("outcome", Outcome)
def test_a_reopening_repeats_what_was_resolved_and_how(outcome: Outcome):
    given(REGISTERED, REPORTED, replace(RESOLVED, outcome=outcome)).when(REOPEN).then(
        replace(REOPENED, at=LATER, outcome=outcome)
    )


def test_only_what_is_resolved_is_reopened():
    given(REGISTERED).when(REOPEN).then_refused(ViolationNotFound)
    given(REGISTERED, REPORTED).when(REOPEN).then_refused(ViolationNotResolved)
    again = (REGISTERED, REPORTED, RESOLVED, REOPENED)
    given(*again).when(REOPEN).then_refused(ViolationNotResolved)
    given(*again, RESOLVED).when(REOPEN).then(replace(REOPENED, at=LATER))


def test_what_was_reopened_is_as_any_open_one():
    past = (REGISTERED, REPORTED, ACKNOWLEDGED, RESOLVED, REOPENED)
    given(*past).when(RESOLVE).then(replace(RESOLVED, at=LATER))
    given(*past).when(REPORT).then_nothing_happens()
    given(*past).when(ACKNOWLEDGE).then_nothing_happens()
    given(*past).when(ASSIGN).then(replace(ASSIGNED, at=LATER))


def test_the_newest_resolution_is_the_one_that_is_taken_back():
    first, second = RESOLVED, replace(RESOLVED, outcome=Outcome.FALSE_POSITIVE)
    given(REGISTERED, REPORTED, first, REOPENED, second).when(REOPEN).then(
        replace(REOPENED, at=LATER, outcome=Outcome.FALSE_POSITIVE)
    )


def test_an_open_violation_is_assigned_to_one_or_another_or_nobody():
    past = (REGISTERED, REPORTED)
    given(*past).when(ASSIGN).then(replace(ASSIGNED, at=LATER))
    other = replace(ASSIGN, assignee="officer-2")
    given(*past, ASSIGNED).when(other).then(replace(ASSIGNED, at=LATER, assignee="officer-2"))
    nobody = replace(ASSIGN, assignee=None)
    given(*past, ASSIGNED).when(nobody).then(replace(ASSIGNED, at=LATER, assignee=None))


def test_of_two_who_take_a_violation_at_once_one_has_it():
    past = (REGISTERED, REPORTED)
    first = replace(ASSIGN, instead_of=None)
    second = replace(first, assignee="officer-2")
    given(*past).when(first).then(replace(ASSIGNED, at=LATER))
    given(*past, ASSIGNED).when(second).then_refused(ViolationAlreadyAssigned)
    given(*past, ASSIGNED).when(first).then_nothing_happens()


def test_a_violation_is_taken_from_the_one_who_is_named_only():
    past, other = (REGISTERED, REPORTED, ASSIGNED), replace(ASSIGN, assignee="officer-2")
    taken = replace(ASSIGNED, at=LATER, assignee="officer-2")
    given(*past).when(replace(other, instead_of="officer-1")).then(taken)
    given(*past).when(replace(other, instead_of="officer-3")).then_refused(ViolationAlreadyAssigned)
    nobody = replace(ASSIGN, assignee=None, instead_of="officer-3")
    given(*past).when(nobody).then_refused(ViolationAlreadyAssigned)


def test_what_is_assigned_so_already_is_not_assigned_again():
    given(REGISTERED, REPORTED, ASSIGNED).when(ASSIGN).then_nothing_happens()
    nobody = replace(ASSIGN, assignee=None)
    given(REGISTERED, REPORTED).when(nobody).then_nothing_happens()
    # who looked into it before it was resolved does so again
    given(REGISTERED, REPORTED, ASSIGNED, RESOLVED, REOPENED).when(ASSIGN).then_nothing_happens()


def test_only_an_open_violation_is_assigned():
    given(REGISTERED).when(ASSIGN).then_refused(ViolationNotFound)
    given(REGISTERED, ASSIGNED).when(ASSIGN).then_refused(ViolationNotFound)
    given(REGISTERED, REPORTED, RESOLVED).when(ASSIGN).then_refused(ViolationAlreadyResolved)


def test_an_assignee_is_a_subject_of_a_token():
    limit = "1..128 visible ASCII characters except / and \\"
    given(REGISTERED, REPORTED).when(replace(ASSIGN, assignee="Ada L.")).then_invalid(
        FieldError("assignee", f"must have {limit}", limit)
    )


@pytest.mark.parametrize("past", [(REPORTED,), (REPORTED, RESOLVED)])
def test_incidents_are_looked_into_once_an_account_is_closed_but_not_once_it_is_erased(
    past: tuple[ChildEvent, ...],
):
    command, event = (REOPEN, REOPENED) if RESOLVED in past else (ASSIGN, ASSIGNED)
    given(REGISTERED, *past, DEACTIVATED).when(command).then(replace(event, at=LATER))
    given(REGISTERED, *past, ERASED).when(command).then_refused(ChildErasedError)
