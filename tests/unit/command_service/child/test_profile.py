"""Changing a child's profile."""

from typing import Any

import pytest

from command_service.child.errors import (
    ChildDeactivatedError,
    ChildErasedError,
    ChildNotFound,
    NoChangeGiven,
)
from shared.events.child import ChildProfileUpdated
from shared.events.personal import Personal
from tests.support.child_facts import ADA, ALLOWED, DEACTIVATED, ERASED, LATER, update
from tests.support.decider_spec import given, out_of_range, wrong_length


def updated(**changes: Any) -> ChildProfileUpdated:
    return ChildProfileUpdated(child_id=ADA, at=LATER, **changes)


def test_an_update_tells_only_what_changed():
    given(*ALLOWED).when(update(name="Ada", age=8)).then(updated(age=8))


def test_every_field_can_change_at_once():
    given(*ALLOWED).when(
        update(
            name=" Grace ",
            age=8,
            device_id="bear-device-2",
            preferences={"stories": False},
            learning_style="auditory",
            interests=("music", "space"),
        )
    ).then(
        updated(
            name=Personal("Grace"),
            age=8,
            device_id=Personal("bear-device-2"),
            preferences=Personal({"stories": False}),
            learning_style=Personal("auditory"),
            interests=Personal(["music", "space"]),
        )
    )


def test_null_clears_what_is_there():
    given(*ALLOWED).when(update(device_id=None, interests=None)).then(
        updated(cleared=("device_id", "interests"))
    )


def test_an_empty_list_or_object_clears_too():
    given(*ALLOWED).when(update(preferences={}, interests=())).then(
        updated(cleared=("preferences", "interests"))
    )


def test_clearing_what_is_not_there_changes_nothing():
    bare = updated(cleared=("device_id",))
    given(*ALLOWED, bare).when(update(device_id=None)).then_nothing_happens()


@pytest.mark.parametrize(
    "same",
    [
        {"name": "Ada"},
        {"name": " Ada "},
        {"age": 7},
        {"device_id": "bear-device-1"},
        {"preferences": {"stories": True}},
        {"interests": ("space",)},
    ],
)
def test_todays_values_change_nothing(same: dict[str, Any]):
    given(*ALLOWED).when(update(**same)).then_nothing_happens()


def test_true_and_one_are_different_preferences():
    given(*ALLOWED).when(update(preferences={"stories": 1})).then(
        updated(preferences=Personal({"stories": 1}))
    )


def test_an_update_without_any_field_is_refused():
    given(*ALLOWED).when(update()).then_refused(NoChangeGiven)


def test_updates_have_the_limits_of_a_registration():
    given(*ALLOWED).when(update(name="x", age=13)).then_invalid(
        wrong_length("name", 2, 100), out_of_range("age", 3, 12)
    )


def test_only_an_active_child_can_be_updated():
    given().when(update(age=8)).then_refused(ChildNotFound)
    given(*ALLOWED, DEACTIVATED).when(update(age=8)).then_refused(ChildDeactivatedError)
    given(*ALLOWED, ERASED).when(update(age=8)).then_refused(ChildErasedError)
