"""What a parent consents to, and what is refused without it."""

from dataclasses import replace

import pytest

from command_service.child.commands import ChildCommand, Consent
from command_service.child.errors import (
    ChildErasedError,
    ChildNotFound,
    ConsentRequired,
    FieldError,
)
from shared.events.child import ChildEvent, ConsentMethod, ConsentPurpose
from tests.support.child_facts import (
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


def test_a_child_returns_only_with_consent_to_the_account():
    given(REGISTERED, DEACTIVATED).when(REACTIVATE).then_refused(ConsentRequired)


@pytest.mark.parametrize("past", [(REGISTERED,), (REGISTERED, DEACTIVATED)])
def test_consent_may_be_given_later_also_to_a_deactivated_child(past: tuple[ChildEvent, ...]):
    given(*past).when(give(ACCOUNT)).then(consented(ACCOUNT, LATER))


def test_consent_to_the_other_purposes_rests_on_the_account():
    given(REGISTERED).when(give(CONVERSATIONS)).then_refused(ConsentRequired)
    given(REGISTERED, consented(ACCOUNT)).when(give(CONVERSATIONS)).then(
        consented(CONVERSATIONS, LATER)
    )


def test_the_same_consent_again_changes_nothing_and_a_newer_notice_is_recorded():
    given(*ALLOWED).when(give(ACCOUNT)).then_nothing_happens()
    given(*ALLOWED).when(give(ACCOUNT, notice_version="2027-01")).then(
        replace(consented(ACCOUNT, LATER), notice_version="2027-01")
    )


def test_withdrawing_consent_to_the_account_withdraws_all_that_rests_on_it():
    given(*ALLOWED).when(withdraw(ACCOUNT)).then(
        *(withdrawn(purpose, LATER) for purpose in ConsentPurpose)
    )


def test_one_purpose_is_withdrawn_by_itself_and_once():
    given(*ALLOWED).when(withdraw(CONVERSATIONS)).then(withdrawn(CONVERSATIONS, LATER))
    given(*ALLOWED, withdrawn(CONVERSATIONS)).when(withdraw(CONVERSATIONS)).then_nothing_happens()


def test_consent_may_be_withdrawn_from_a_deactivated_child():
    given(*ALLOWED, DEACTIVATED).when(withdraw(CONVERSATIONS)).then(withdrawn(CONVERSATIONS, LATER))


@pytest.mark.parametrize("command", [give(ACCOUNT), withdraw(ACCOUNT)])
def test_nobody_consents_for_a_child_that_is_erased_or_never_was(command: ChildCommand):
    given(*ALLOWED, ERASED).when(command).then_refused(ChildErasedError)
    given().when(command).then_refused(ChildNotFound)
