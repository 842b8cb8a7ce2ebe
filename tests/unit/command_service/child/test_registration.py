"""Registering a child, and changing its profile."""

from dataclasses import replace
from typing import Any

import pytest

from command_service.child.errors import (
    AlreadyRegistered,
    ChildDeactivatedError,
    ChildErasedError,
    ChildNotFound,
    FieldError,
    NoChangeGiven,
)
from command_service.child.field_checks import UDID_LIMIT
from shared.auth.access import SUBJECT_LIMIT
from shared.events.child import ChildEvent, ChildProfileUpdated, ConsentPurpose
from shared.events.personal import Personal
from tests.support.child_facts import (
    ADA,
    ALLOWED,
    DEACTIVATED,
    ERASED,
    LATER,
    REGISTER,
    REGISTERED,
    consented,
    update,
)
from tests.support.decider_spec import given, out_of_range, wrong_length

HIDDEN = "must not contain invisible or unassigned characters"


NO_UDIDS = {
    "too short": "TEDDY-123",
    "too long": "x" * 129,
    "a space before": " TEDDY-0000-0001",
    "a space behind": "TEDDY-0000-0001 ",
    "a space within": "TEDDY 0000 0001",
    "a line end": "TEDDY-0000-0001\n",
    "another script's letter": "\u0422EDDY-0000-0001",
    "a wide letter": "\uff34EDDY-0000-0001",
    "another hyphen": "TEDDY\u20110000\u20110001",
    "a minus": "TEDDY\u22120000\u22120001",
    "a dash": "TEDDY\u20130000\u20130001",
    "another script's digit": "TEDDY-0000-000\u0661",
    "a letter with a dot": "TEDDY-\u0130000-0001",
    "a soft hyphen": "TEDDY-\u00ad0000-0001",
    "a zero-width space": "TEDDY-0000-0001\u200b",
    "a joiner": "TEDDY\u200d-0000-0001",
    "a word joiner": "TEDDY\u2060-0000-0001",
    "a variation selector": "TEDDY-0000-0001\ufe0f",
    "a tag": "TEDDY-0000-0001\U000e0041",
    "a mark": "TEDDY-0000-0001\u0301",
    "a grapheme joiner": "TEDDY\u034f-0000-0001",
    "a filler": "TEDDY\u3164-0000-0001",
    "a private letter": "TEDDY-0000-000\ue000",
    "a noncharacter": "TEDDY-0000-000\uffff",
    "half a pair": "TEDDY-0000-000\ud800",
}


def registered(**changes: Any) -> tuple[ChildEvent, ...]:
    """What comes of REGISTER: Ada is registered, with every consent of her parent."""
    consents = (consented(purpose, LATER) for purpose in ConsentPurpose)
    return (replace(REGISTERED, at=LATER, **changes), *consents)


def test_a_registration_tells_everything_about_the_child():
    given().when(REGISTER).then(*registered())


def test_optional_fields_may_be_left_out_and_empty_ones_are_none():
    bare = replace(REGISTER, device_id=None, preferences=None, learning_style=None, interests=None)
    expected = registered(device_id=None, preferences=None, learning_style=None, interests=None)
    given().when(bare).then(*expected)
    empty = replace(REGISTER, preferences={}, interests=())
    given().when(empty).then(*registered(preferences=None, interests=None))


@pytest.mark.parametrize("past", [(REGISTERED,), (REGISTERED, DEACTIVATED), (REGISTERED, ERASED)])
def test_a_child_is_registered_once(past: tuple[Any, ...]):
    given(*past).when(REGISTER).then_refused(AlreadyRegistered)


def test_names_of_any_script_are_welcome_normalised_and_trimmed():
    given().when(replace(REGISTER, name="  \uff21da ")).then(*registered())
    name = "Zoë Ὀδυσσεύς 李小龙"
    given().when(replace(REGISTER, name=name)).then(*registered(name=Personal(name)))


@pytest.mark.parametrize("age", [3, 12])
def test_the_youngest_and_the_oldest_are_welcome(age: int):
    given().when(replace(REGISTER, age=age)).then(*registered(age=age))


@pytest.mark.parametrize("age", [-1, 0, 2, 13, 10**30])
def test_ages_outside_three_to_twelve_are_refused(age: int):
    error = out_of_range("age", 3, 12)
    given().when(replace(REGISTER, age=age)).then_invalid(error)


@pytest.mark.parametrize("name", ["", "A", " A ", "x" * 101])
def test_names_too_short_or_too_long_are_refused(name: str):
    error = wrong_length("name", 2, 100)
    given().when(replace(REGISTER, name=name)).then_invalid(error)


@pytest.mark.parametrize(
    "hidden",
    ["\x00", "\x07", "\n", "\x7f", "\x85", "\u200b", "\u200d", "\u2028", "\ud800", "\u3164"],
)
def test_names_with_characters_that_nobody_sees_are_refused(hidden: str):
    given().when(replace(REGISTER, name=f"A{hidden}da")).then_invalid(
        FieldError("name", HIDDEN, "visible characters")
    )


SUBJECTS = ("parent_id", "device_id")
NO_SUBJECTS = (
    "",
    " ",
    "p 1",
    "p-1 ",
    "a\nb",
    "a/b",
    "a\\b",
    "..",
    "wei\u00df",
    "\uff50-1",
    "x" * 129,
)


def no_subject(field: str) -> FieldError:
    return FieldError(field, f"must have {SUBJECT_LIMIT}", SUBJECT_LIMIT)


NO_UDID = FieldError("udid", f"must have {UDID_LIMIT}", UDID_LIMIT)


@pytest.mark.parametrize("udid", NO_UDIDS.values(), ids=NO_UDIDS)
def test_udids_too_short_too_long_or_that_look_like_another_are_refused(udid: str):
    given().when(replace(REGISTER, udid=udid)).then_invalid(NO_UDID)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        *(({field: text}, no_subject(field)) for field in SUBJECTS for text in NO_SUBJECTS),
        ({"learning_style": "x" * 65}, wrong_length("learning_style", 1, 64)),
        (
            {"interests": ("x",) * 21},
            FieldError("interests", "must have at most 20 entries", "0..20 entries"),
        ),
        ({"interests": ("a", "")}, wrong_length("interests.1", 1, 64)),
    ],
)
def test_every_other_field_has_its_limit(changes: dict[str, Any], error: FieldError):
    given().when(replace(REGISTER, **changes)).then_invalid(error)


def nested(levels: int) -> dict[str, Any]:
    return {"deeper": nested(levels - 1)} if levels > 1 else {"deepest": 1}


def test_preferences_nest_four_levels_deep_and_have_exactly_eight_kibibytes():
    given().when(replace(REGISTER, preferences=nested(4))).then(
        *registered(preferences=Personal(nested(4)))
    )
    full = {"a": "x" * (8_192 - len('{"a":""}'))}
    given().when(replace(REGISTER, preferences=full)).then(*registered(preferences=Personal(full)))


@pytest.mark.parametrize(
    ("preferences", "message"),
    [
        (nested(5), "must not nest deeper than 4 levels"),
        ({"a": [[[[1]]]]}, "must not nest deeper than 4 levels"),
        ({"a": "x" * 8_185}, "must not exceed 8192 bytes as JSON"),
        ({"a": float("nan")}, "must contain finite numbers only"),
        ({"a": 2**64}, "must contain only 64-bit integers"),
        ({"a": "\ud800"}, "must not contain an unpaired surrogate"),
        ({"\ud800": 1}, "must have plain text as keys"),
        ({"a": object()}, "must be plain JSON"),
    ],
)
def test_preferences_are_small_plain_json(preferences: dict[str, Any], message: str):
    error = FieldError("preferences", message, "JSON of at most 4 levels and 8192 bytes")
    given().when(replace(REGISTER, preferences=preferences)).then_invalid(error)


def test_all_that_is_wrong_is_reported_at_once():
    wrong = replace(REGISTER, name="A", age=2, udid="short", interests=("",))
    given().when(wrong).then_invalid(
        NO_UDID,
        wrong_length("name", 2, 100),
        out_of_range("age", 3, 12),
        wrong_length("interests.0", 1, 64),
    )


def updated(**changes: Any) -> ChildProfileUpdated:
    return ChildProfileUpdated(child_id=ADA, at=LATER, **changes)


def test_an_update_tells_only_what_changed_and_true_is_not_one():
    given(*ALLOWED).when(update(name="Ada", age=8)).then(updated(age=8))
    given(*ALLOWED).when(update(preferences={"stories": 1})).then(
        updated(preferences=Personal({"stories": 1}))
    )


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


def test_null_and_what_is_empty_clear_what_is_there():
    given(*ALLOWED).when(update(device_id=None, interests=None)).then(
        updated(cleared=("device_id", "interests"))
    )
    given(*ALLOWED).when(update(preferences={}, interests=())).then(
        updated(cleared=("preferences", "interests"))
    )
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


def test_an_update_has_some_field_within_the_limits_of_a_registration():
    given(*ALLOWED).when(update()).then_refused(NoChangeGiven)
    given(*ALLOWED).when(update(name="x", age=13)).then_invalid(
        wrong_length("name", 2, 100), out_of_range("age", 3, 12)
    )


def test_only_an_active_child_can_be_updated():
    given().when(update(age=8)).then_refused(ChildNotFound)
    given(*ALLOWED, DEACTIVATED).when(update(age=8)).then_refused(ChildDeactivatedError)
    given(*ALLOWED, ERASED).when(update(age=8)).then_refused(ChildErasedError)
