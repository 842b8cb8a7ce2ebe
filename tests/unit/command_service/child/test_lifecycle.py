"""The end of an account, its return, and erasure."""

from dataclasses import replace
from typing import get_args

import pytest

from command_service.child.account import AccountStatus, Profile
from command_service.child.commands import ChildCommand
from command_service.child.decider import evolve
from command_service.child.errors import (
    AlreadyDeactivated,
    ChildErasedError,
    ChildNotFound,
    NotDeactivated,
)
from command_service.child.state import Child
from shared.events.child import ChildProfileUpdated, ConsentPurpose
from tests.support.child_facts import (
    ACKNOWLEDGE,
    ADA,
    ALLOWED,
    CONFIGURE,
    DEACTIVATE,
    DEACTIVATED,
    END,
    ERASE,
    ERASED,
    LATER,
    MESSAGE,
    REACTIVATE,
    REACTIVATED,
    REGISTER,
    REGISTERED,
    REPORT,
    REPORTED,
    RESOLVE,
    START,
    STARTED,
    give,
    update,
    withdraw,
)
from tests.support.decider_spec import given, wrong_length
from tests.support.samples import sample_of

_WRITTEN_OUT = [
    update(age=8), REPORT, RESOLVE, ACKNOWLEDGE, CONFIGURE, START, MESSAGE, END, DEACTIVATE,
    REACTIVATE, ERASE, give(ConsentPurpose.ACCOUNT), withdraw(ConsentPurpose.ACCOUNT),
]  # fmt: skip
_KNOWN = {type(command) for command in [REGISTER, *_WRITTEN_OUT]}
ABOUT_A_KNOWN_CHILD = [
    *_WRITTEN_OUT,
    *(
        sample_of(kind, child_id=ADA, at=LATER)
        for kind in get_args(ChildCommand)
        if kind not in _KNOWN
    ),
]


def test_these_are_all_commands():
    kinds = {type(command) for command in [REGISTER, *ABOUT_A_KNOWN_CHILD]}
    assert kinds == set(get_args(ChildCommand))


@pytest.mark.parametrize("command", ABOUT_A_KNOWN_CHILD, ids=lambda c: type(c).__name__)
def test_nothing_can_be_asked_of_a_child_nobody_registered(command: ChildCommand):
    given().when(command).then_refused(ChildNotFound)


@pytest.mark.parametrize(
    "command", [c for c in ABOUT_A_KNOWN_CHILD if c != ERASE], ids=lambda c: type(c).__name__
)
def test_nothing_can_happen_to_an_erased_child(command: ChildCommand):
    given(*ALLOWED, STARTED, REPORTED, ERASED).when(command).then_refused(ChildErasedError)


def test_a_child_is_deactivated_with_a_reason():
    given(*ALLOWED).when(DEACTIVATE).then(replace(DEACTIVATED, at=LATER))


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_reason_has_one_to_five_hundred_characters(reason: str):
    error = wrong_length("reason", 1, 500)
    given(*ALLOWED).when(replace(DEACTIVATE, reason=reason)).then_invalid(error)


def test_a_child_is_deactivated_once():
    given(*ALLOWED, DEACTIVATED).when(DEACTIVATE).then_refused(AlreadyDeactivated)


def test_a_deactivated_child_can_return():
    given(*ALLOWED, DEACTIVATED).when(REACTIVATE).then(replace(REACTIVATED, at=LATER))


def test_a_child_whose_device_id_is_another_s_by_now_returns_without_it():
    cleared = ChildProfileUpdated(child_id=ADA, at=LATER, cleared=("device_id",))
    given(*ALLOWED, DEACTIVATED).when(replace(REACTIVATE, without_device=True)).then(
        replace(REACTIVATED, at=LATER), cleared
    )


def test_a_child_without_a_device_id_returns_as_it_was():
    bare = ChildProfileUpdated(child_id=ADA, at=LATER, cleared=("device_id",))
    given(*ALLOWED, bare, DEACTIVATED).when(replace(REACTIVATE, without_device=True)).then(
        replace(REACTIVATED, at=LATER)
    )


def test_an_active_child_cannot_return():
    given(*ALLOWED).when(REACTIVATE).then_refused(NotDeactivated)


def test_active_and_deactivated_children_can_be_erased():
    given(*ALLOWED).when(ERASE).then(replace(ERASED, at=LATER))
    given(*ALLOWED, DEACTIVATED).when(ERASE).then(replace(ERASED, at=LATER))


def test_erasing_twice_is_erasing_once():
    given(*ALLOWED, ERASED).when(ERASE).then_nothing_happens()


def test_after_erasure_nothing_personal_is_left_in_the_state():
    child = given(*ALLOWED, STARTED, REPORTED).child
    erased = evolve(child, ERASED)
    assert erased == Child(status=AccountStatus.ERASED, parent_id=REGISTERED.parent_id)
    assert erased.profile == Profile()
