"""Conversations between child and bear."""

from dataclasses import replace
from typing import Any

import pytest

from command_service.child.commands import ChildCommand
from command_service.child.errors import (
    ChildDeactivatedError,
    ConversationIdUsed,
    ConversationNotFound,
    ConversationNotOpen,
    FieldError,
)
from shared.events.child import MessageRecorded, Speaker
from tests.support.child_facts import (
    ADA,
    ALLOWED,
    DEACTIVATED,
    END,
    ENDED,
    LATER,
    MESSAGE,
    NOON,
    REACTIVATED,
    START,
    STARTED,
    TALK,
)
from tests.support.decider_spec import given, out_of_range, wrong_length


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


def test_an_end_tells_when_the_conversation_started():
    given(*ALLOWED, STARTED).when(END).then(replace(ENDED, at=LATER, started_at=NOON))


@pytest.mark.parametrize("command", [MESSAGE, END])
def test_an_ended_conversation_is_not_open(command: ChildCommand):
    given(*ALLOWED, STARTED, ENDED).when(command).then_refused(ConversationNotOpen)


@pytest.mark.parametrize("command", [MESSAGE, END])
def test_a_conversation_that_never_was_is_not_found(command: ChildCommand):
    given(*ALLOWED).when(command).then_refused(ConversationNotFound)


@pytest.mark.parametrize("command", [START, MESSAGE, END])
def test_a_deactivated_child_has_no_conversations(command: ChildCommand):
    given(*ALLOWED, STARTED, DEACTIVATED).when(command).then_refused(ChildDeactivatedError)


def test_a_conversation_goes_on_after_reactivation():
    given(*ALLOWED, STARTED, DEACTIVATED, REACTIVATED).when(END).then(
        replace(ENDED, at=LATER, started_at=NOON)
    )
