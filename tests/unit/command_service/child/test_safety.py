"""Safety violations, alert policies, and conversations between child and bear."""

from dataclasses import replace
from typing import Any

import pytest

from command_service.child.commands import ChildCommand
from command_service.child.errors import (
    ChildDeactivatedError,
    ChildErasedError,
    ChildNotFound,
    ConversationIdUsed,
    ConversationNotFound,
    ConversationNotOpen,
    FieldError,
    ViolationAlreadyResolved,
    ViolationNotFound,
)
from shared.events.child import (
    AlertChannel,
    AlertPolicy,
    AlertPolicyConfigured,
    MessageRecorded,
    SafetyViolationResolved,
    Severity,
    Speaker,
)
from shared.events.personal import Personal
from tests.support.child_facts import (
    ACKNOWLEDGE,
    ACKNOWLEDGED,
    ADA,
    ALLOWED,
    CONFIGURE,
    DEACTIVATED,
    END,
    ENDED,
    ERASED,
    LATER,
    MESSAGE,
    NOON,
    REACTIVATED,
    REGISTERED,
    REPORT,
    REPORTED,
    RESOLVE,
    RESOLVED,
    START,
    STARTED,
    TALK,
)
from tests.support.decider_spec import given, out_of_range, wrong_length


def test_a_report_says_what_was_found_where():
    command = replace(REPORT, details="  asked\nfor the address ", conversation_id=TALK.upper())
    given(REGISTERED, STARTED).when(command).then(
        replace(
            REPORTED, at=LATER, details=Personal("asked\nfor the address"), conversation_id=TALK
        )
    )


@pytest.mark.parametrize("details", [None, "", "  \n"])
def test_a_report_needs_no_details(details: str | None):
    given(REGISTERED).when(replace(REPORT, details=details)).then(replace(REPORTED, at=LATER))


def test_a_violation_is_reported_once_also_on_a_deactivated_child_but_on_no_erased_one():
    given(REGISTERED, DEACTIVATED).when(REPORT).then(replace(REPORTED, at=LATER))
    given(REGISTERED, REPORTED).when(REPORT).then_nothing_happens()
    given().when(REPORT).then_refused(ChildNotFound)
    given(REGISTERED, ERASED).when(REPORT).then_refused(ChildErasedError)


def test_a_report_may_name_an_ended_conversation_and_counts_without_an_unknown_one():
    command = replace(REPORT, conversation_id=TALK)
    given(REGISTERED).when(command).then(replace(REPORTED, at=LATER))
    given(REGISTERED, STARTED, ENDED).when(command).then(
        replace(REPORTED, at=LATER, conversation_id=TALK)
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"violation_type": ""}, wrong_length("type", 1, 64)),
        ({"violation_type": "x" * 65}, wrong_length("type", 1, 64)),
        ({"details": "x" * 2_001}, wrong_length("details", 1, 2000)),
        (
            {"details": "\ud800"},
            FieldError("details", "must not contain an unpaired surrogate", "valid Unicode"),
        ),
        (
            {"conversation_id": "talk"},
            FieldError("conversation_id", "must be a UUID", "36 characters"),
        ),
    ],
)
def test_reports_have_limits(changes: dict[str, Any], error: FieldError):
    given(REGISTERED).when(replace(REPORT, **changes)).then_invalid(error)


def test_a_resolution_repeats_what_was_reported():
    given(REGISTERED, REPORTED).when(RESOLVE).then(
        SafetyViolationResolved(
            child_id=ADA,
            at=LATER,
            violation_id=REPORTED.violation_id,
            violation_type="bullying",
            severity=Severity.HIGH,
            outcome=RESOLVE.outcome,
        )
    )


def test_only_a_known_violation_is_resolved_and_once():
    given(REGISTERED).when(RESOLVE).then_refused(ViolationNotFound)
    given(REGISTERED, REPORTED, RESOLVED).when(RESOLVE).then_refused(ViolationAlreadyResolved)


def test_a_violation_of_a_deactivated_child_is_closed_and_one_of_an_erased_child_is_not():
    resolution = replace(RESOLVED, at=LATER)
    given(REGISTERED, REPORTED, DEACTIVATED).when(RESOLVE).then(resolution)
    given(REGISTERED, DEACTIVATED, REPORTED).when(RESOLVE).then(resolution)
    given(REGISTERED, REPORTED, ERASED).when(RESOLVE).then_refused(ChildErasedError)
    given(REGISTERED, REPORTED, DEACTIVATED).when(ACKNOWLEDGE).then(replace(ACKNOWLEDGED, at=LATER))
    given(REGISTERED, REPORTED, ERASED).when(ACKNOWLEDGE).then_refused(ChildErasedError)


def test_a_parent_acknowledges_a_violation_that_the_child_has_once():
    acknowledged = replace(ACKNOWLEDGED, at=LATER)
    given(REGISTERED, REPORTED).when(ACKNOWLEDGE).then(acknowledged)
    given(REGISTERED, REPORTED, ACKNOWLEDGED).when(ACKNOWLEDGE).then_nothing_happens()
    given(REGISTERED).when(ACKNOWLEDGE).then_refused(ViolationNotFound)
    given(REGISTERED, ACKNOWLEDGED).when(ACKNOWLEDGE).then_refused(ViolationNotFound)


def test_what_was_resolved_can_still_be_acknowledged_and_the_other_way_round():
    given(REGISTERED, REPORTED, RESOLVED).when(ACKNOWLEDGE).then(replace(ACKNOWLEDGED, at=LATER))
    given(REGISTERED, REPORTED, ACKNOWLEDGED).when(RESOLVE).then(replace(RESOLVED, at=LATER))
    seen = (REGISTERED, REPORTED, ACKNOWLEDGED, RESOLVED)
    given(*seen).when(ACKNOWLEDGE).then_nothing_happens()


def test_an_alert_policy_is_configured_as_a_whole_while_the_child_is_active():
    channels = (AlertChannel.IN_APP, AlertChannel.WEBHOOK)
    policy = AlertPolicy(Severity.MEDIUM, 5, 48, channels)
    given(REGISTERED).when(CONFIGURE).then(
        AlertPolicyConfigured(child_id=ADA, at=LATER, policy=policy)
    )
    given(REGISTERED, DEACTIVATED).when(CONFIGURE).then_refused(ChildDeactivatedError)


@pytest.mark.parametrize(
    ("changes", "field", "limit"),
    [
        ({"count": 1}, "count", "2..100"),
        ({"count": 101}, "count", "2..100"),
        ({"window_hours": 0}, "window_hours", "1..720"),
        ({"window_hours": 721}, "window_hours", "1..720"),
    ],
)
def test_alert_thresholds_have_limits(changes: dict[str, Any], field: str, limit: str):
    message = f"must be between {limit.replace('..', ' and ')}"
    given(REGISTERED).when(replace(CONFIGURE, **changes)).then_invalid(
        FieldError(field, message, limit)
    )


@pytest.mark.parametrize("channels", [(), (AlertChannel.IN_APP, AlertChannel.IN_APP)])
def test_alerts_go_to_some_channels_each_once(channels: tuple[AlertChannel, ...]):
    error = FieldError(
        "channels", "must contain 1 to 3 channels, each at most once", "1..3 entries"
    )
    given(REGISTERED).when(replace(CONFIGURE, channels=channels)).then_invalid(error)


def test_a_conversation_starts_with_a_topic_or_without():
    given(*ALLOWED).when(START).then(replace(STARTED, at=LATER, topic="dinosaurs"))
    given(*ALLOWED).when(replace(START, topic=None)).then(replace(STARTED, at=LATER))


def test_conversation_ids_are_uuids_in_lower_case():
    upper = replace(START, conversation_id=TALK.upper(), topic=None)
    given(*ALLOWED).when(upper).then(replace(STARTED, at=LATER))
    given(*ALLOWED).when(replace(START, conversation_id="talk")).then_invalid(
        FieldError("conversation_id", "must be a UUID", "36 characters")
    )


@pytest.mark.parametrize("past", [(STARTED,), (STARTED, ENDED)])
def test_a_conversation_id_is_used_once(past: tuple[Any, ...]):
    given(*ALLOWED, *past).when(START).then_refused(ConversationIdUsed)


def test_a_message_is_recorded_without_its_text():
    command = replace(
        MESSAGE,
        topic="dinosaurs",
        flagged_categories=("address",),
        learning_skills=("vocabulary", "counting"),
    )
    given(*ALLOWED, STARTED).when(command).then(
        MessageRecorded(
            child_id=ADA,
            at=LATER,
            conversation_id=TALK,
            speaker=Speaker.CHILD,
            word_count=12,
            topic="dinosaurs",
            flagged_categories=("address",),
            learning_skills=("vocabulary", "counting"),
        )
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"word_count": -1}, out_of_range("word_count", 0, 10000)),
        ({"word_count": 10_001}, out_of_range("word_count", 0, 10000)),
        ({"topic": ""}, wrong_length("topic", 1, 64)),
        ({"flagged_categories": ("",)}, wrong_length("flagged_categories.0", 1, 64)),
        (
            {"learning_skills": ("x",) * 21},
            FieldError("learning_skills", "must have at most 20 entries", "0..20 entries"),
        ),
    ],
)
def test_messages_have_limits(changes: dict[str, Any], error: FieldError):
    given(*ALLOWED, STARTED).when(replace(MESSAGE, **changes)).then_invalid(error)


def test_an_end_tells_when_the_conversation_started_also_after_reactivation():
    given(*ALLOWED, STARTED).when(END).then(replace(ENDED, at=LATER, started_at=NOON))
    given(*ALLOWED, STARTED, DEACTIVATED, REACTIVATED).when(END).then(
        replace(ENDED, at=LATER, started_at=NOON)
    )


@pytest.mark.parametrize("command", [MESSAGE, END])
def test_an_ended_conversation_is_not_open(command: ChildCommand):
    given(*ALLOWED, STARTED, ENDED).when(command).then_refused(ConversationNotOpen)


@pytest.mark.parametrize("command", [MESSAGE, END])
def test_a_conversation_that_never_was_is_not_found(command: ChildCommand):
    given(*ALLOWED).when(command).then_refused(ConversationNotFound)


@pytest.mark.parametrize("command", [START, MESSAGE, END])
def test_a_deactivated_child_has_no_conversations(command: ChildCommand):
    given(*ALLOWED, STARTED, DEACTIVATED).when(command).then_refused(ChildDeactivatedError)
