"""What a parent consents to; the end of an account, its return, and erasure."""

from dataclasses import replace
from typing import get_args

import pytest

from command_service.child.account import AccountStatus, Profile
from command_service.child.commands import ChildCommand, Consent
from command_service.child.decider import evolve
from command_service.child.errors import (
    AlreadyDeactivated,
    ChildErasedError,
    ChildNotFound,
    ConsentRequired,
    FieldError,
    NotDeactivated,
)
from command_service.child.state import Child
from shared.events.child import ChildEvent, ChildProfileUpdated, ConsentMethod, ConsentPurpose
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
    NOTICE,
    REACTIVATE,
    REACTIVATED,
    REGISTER,
    REGISTERED,
    REPORT,
    REPORTED,
    RESOLVE,
    START,
    STARTED,
    consented,
    give,
    update,
    withdraw,
    withdrawn,
)
from tests.support.decider_spec import given, wrong_length
from tests.support.event_samples import sample_of

ACCOUNT, CONVERSATIONS, PERSONALIZATION = ConsentPurpose
HAPPENED_BEFORE_CONSENT_EXISTED: tuple[ChildEvent, ...] = (REGISTERED, STARTED, REPORTED)


def test_a_registration_without_consent_to_the_account_is_refused():
    others = tuple(each for each in REGISTER.consents if each.purpose is not ACCOUNT)
    given().when(replace(REGISTER, consents=())).then_refused(ConsentRequired)
    given().when(replace(REGISTER, consents=others)).then_refused(ConsentRequired)


@pytest.mark.parametrize("field", ["preferences", "learning_style", "interests"])
def test_a_registration_that_personalizes_needs_consent_to_it(field: str):
    plain = replace(REGISTER, preferences=None, learning_style=None, interests=None)
    account_only = replace(plain, consents=(Consent(ACCOUNT, **NOTICE),))
    given().when(account_only).then(
        replace(REGISTERED, at=LATER, preferences=None, learning_style=None, interests=None),
        consented(ACCOUNT, LATER),
    )
    personal = replace(account_only, **{field: getattr(REGISTER, field)})
    given().when(personal).then_refused(ConsentRequired)


def test_each_purpose_is_consented_to_once_in_a_registration():
    twice = replace(REGISTER, consents=(Consent(ACCOUNT, **NOTICE), Consent(ACCOUNT, **NOTICE)))
    given().when(twice).then_invalid(
        FieldError("consents", "must contain each purpose at most once", "one entry per purpose")
    )


@pytest.mark.parametrize("version", ["", " ", "x" * 33])
def test_the_version_of_the_notice_has_its_limit(version: str):
    asked = replace(REGISTER, consents=(Consent(ACCOUNT, version, ConsentMethod.VIDEO_CALL),))
    given().when(asked).then_invalid(wrong_length("consents.0.notice_version", 1, 32))
    given(REGISTERED).when(give(ACCOUNT, notice_version=version)).then_invalid(
        wrong_length("notice_version", 1, 32)
    )


@pytest.mark.parametrize(
    ("command", "purpose"),
    [
        (START, CONVERSATIONS),
        (MESSAGE, CONVERSATIONS),
        (update(name="Eve"), ACCOUNT),
        (update(age=8), ACCOUNT),
        (update(device_id="bear-device-2"), ACCOUNT),
        (update(preferences={"stories": False}), PERSONALIZATION),
        (update(learning_style="auditory"), PERSONALIZATION),
        (update(interests=("music",)), PERSONALIZATION),
    ],
)
def test_what_a_withdrawn_consent_covered_is_refused_and_says_which(
    command: ChildCommand, purpose: ConsentPurpose
):
    past = (*ALLOWED, *(() if command is START else (STARTED,)), withdrawn(purpose))
    with pytest.raises(ConsentRequired, match=f"consent to the purpose {purpose.value}") as refused:
        given(*past).when(command).then()
    assert refused.value.purpose is purpose


@pytest.mark.parametrize("command", [START, MESSAGE, update(age=8), update(interests=("music",))])
def test_a_child_registered_before_consent_existed_has_given_none(command: ChildCommand):
    past = HAPPENED_BEFORE_CONSENT_EXISTED if command is MESSAGE else (REGISTERED,)
    given(*past).when(command).then_refused(ConsentRequired)


@pytest.mark.parametrize(
    "command", [REPORT, RESOLVE, CONFIGURE, END, DEACTIVATE, ERASE, update(interests=None)]
)
def test_what_protects_or_ends_something_needs_no_consent(command: ChildCommand):
    past = (REGISTERED, STARTED) if command is REPORT else HAPPENED_BEFORE_CONSENT_EXISTED
    assert given(*past).when(command).events()


def test_only_a_deactivated_child_returns_and_only_with_consent_to_the_account():
    given(REGISTERED, DEACTIVATED).when(REACTIVATE).then_refused(ConsentRequired)
    given(*ALLOWED, DEACTIVATED).when(REACTIVATE).then(replace(REACTIVATED, at=LATER))
    given(*ALLOWED).when(REACTIVATE).then_refused(NotDeactivated)


@pytest.mark.parametrize("past", [(REGISTERED,), (REGISTERED, DEACTIVATED)])
def test_consent_may_be_given_later_also_to_a_deactivated_child(past: tuple[ChildEvent, ...]):
    given(*past).when(give(ACCOUNT)).then(consented(ACCOUNT, LATER))


def test_consent_to_the_other_purposes_rests_on_the_account_and_ends_with_it():
    given(REGISTERED).when(give(CONVERSATIONS)).then_refused(ConsentRequired)
    given(REGISTERED, consented(ACCOUNT)).when(give(CONVERSATIONS)).then(
        consented(CONVERSATIONS, LATER)
    )
    given(*ALLOWED).when(withdraw(ACCOUNT)).then(
        *(withdrawn(purpose, LATER) for purpose in ConsentPurpose)
    )


def test_the_same_consent_again_changes_nothing_and_a_newer_notice_is_recorded():
    given(*ALLOWED).when(give(ACCOUNT)).then_nothing_happens()
    given(*ALLOWED).when(give(ACCOUNT, notice_version="2027-01")).then(
        replace(consented(ACCOUNT, LATER), notice_version="2027-01")
    )


def test_one_purpose_is_withdrawn_by_itself_and_once_also_from_a_deactivated_child():
    given(*ALLOWED).when(withdraw(CONVERSATIONS)).then(withdrawn(CONVERSATIONS, LATER))
    given(*ALLOWED, withdrawn(CONVERSATIONS)).when(withdraw(CONVERSATIONS)).then_nothing_happens()
    given(*ALLOWED, DEACTIVATED).when(withdraw(CONVERSATIONS)).then(withdrawn(CONVERSATIONS, LATER))


@pytest.mark.parametrize("command", [give(ACCOUNT), withdraw(ACCOUNT)])
def test_nobody_consents_for_a_child_that_is_erased_or_never_was(command: ChildCommand):
    given(*ALLOWED, ERASED).when(command).then_refused(ChildErasedError)
    given().when(command).then_refused(ChildNotFound)


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


def test_a_child_is_deactivated_once_and_with_a_reason():
    given(*ALLOWED).when(DEACTIVATE).then(replace(DEACTIVATED, at=LATER))
    given(*ALLOWED, DEACTIVATED).when(DEACTIVATE).then_refused(AlreadyDeactivated)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_reason_has_one_to_five_hundred_characters(reason: str):
    error = wrong_length("reason", 1, 500)
    given(*ALLOWED).when(replace(DEACTIVATE, reason=reason)).then_invalid(error)


def test_a_child_whose_device_id_is_another_s_by_now_returns_without_it():
    returned, cleared = (
        replace(REACTIVATED, at=LATER),
        ChildProfileUpdated(child_id=ADA, at=LATER, cleared=("device_id",)),
    )
    command = replace(REACTIVATE, without_device=True)
    given(*ALLOWED, DEACTIVATED).when(command).then(returned, cleared)
    given(*ALLOWED, cleared, DEACTIVATED).when(command).then(returned)


def test_active_and_deactivated_children_can_be_erased_and_twice_is_once():
    given(*ALLOWED).when(ERASE).then(replace(ERASED, at=LATER))
    given(*ALLOWED, DEACTIVATED).when(ERASE).then(replace(ERASED, at=LATER))
    given(*ALLOWED, ERASED).when(ERASE).then_nothing_happens()


def test_after_erasure_nothing_personal_is_left_in_the_state():
    child = given(*ALLOWED, STARTED, REPORTED).child
    erased = evolve(child, ERASED)
    assert erased == Child(status=AccountStatus.ERASED, parent_id=REGISTERED.parent_id)
    assert erased.profile == Profile()
