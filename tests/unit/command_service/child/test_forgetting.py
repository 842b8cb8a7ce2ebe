"""What is closed is forgotten after a while, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from functools import reduce

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from command_service.child.commands import ChildCommand, StartConversation
from command_service.child.conversations import ENDED_AT_ONCE, OPEN_CONVERSATIONS
from command_service.child.decider import evolve
from command_service.child.errors import (
    CommandRefused,
    ConversationNotFound,
    ConversationNotOpen,
    ViolationAlreadyResolved,
    ViolationNotFound,
)
from command_service.child.state import (
    KNOWN_ENDED_CONVERSATIONS,
    KNOWN_RESOLVED_VIOLATIONS,
    Child,
    Newest,
)
from shared.events.child import ChildEvent, ConversationEnded, ConversationStarted
from tests.support.child_facts import (
    ACKNOWLEDGE,
    ALLOWED,
    END,
    ENDED,
    LATER,
    MESSAGE,
    NOON,
    REPORT,
    REPORTED,
    RESOLVE,
    RESOLVED,
    START,
    STARTED,
)
from tests.support.decider_spec import events_of, given
from tests.support.generated_lives import COMMANDS, LIVES, valid_past
from tests.support.unbounded_child import unbounded

UNBOUNDED = 10**9


def an_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def talks(number: int) -> list[ConversationStarted]:
    """Open ones, each a minute after the one before."""
    return [
        replace(STARTED, conversation_id=an_id(n), at=NOON + timedelta(minutes=n))
        for n in range(number)
    ]


def ended(talk: ConversationStarted) -> ConversationEnded:
    return replace(ENDED, conversation_id=talk.conversation_id, at=LATER, started_at=talk.at)


TALK_IDS = [an_id(number) for number in range(8)]
VIOLATION_IDS = [an_id(number) for number in range(100, 108)]
IN_TALK = replace(REPORT, conversation_id=TALK_IDS[0])
ASKED: list[ChildCommand] = [
    *(replace(ask, conversation_id=each) for ask in (START, MESSAGE, END) for each in TALK_IDS),
    *(
        replace(ask, violation_id=each)
        for ask in (IN_TALK, RESOLVE, ACKNOWLEDGE)
        for each in VIOLATION_IDS
    ),
]


def lived(limit: int, commands: list[ChildCommand]) -> tuple[Child, list[ChildEvent]]:
    """A child who knows `limit` ended conversations and resolved violations, after `commands`."""
    start = Child(ended_conversations=Newest(limit), resolved_violations=Newest(limit))
    child, happened = reduce(evolve, ALLOWED, start), list(ALLOWED)
    for command in commands:
        decided = answer(command, child)
        if isinstance(decided, list):
            child = reduce(evolve, decided, child)
            happened += decided
    return child, happened


def answer(command: ChildCommand, child: Child) -> list[ChildEvent] | type[CommandRefused]:
    try:
        return events_of(command, child)
    except CommandRefused as refused:
        return type(refused)


@settings(max_examples=150, deadline=None)
@over(LIVES, st.lists(COMMANDS, max_size=5))
def test_while_nothing_is_forgotten_all_is_decided_as_if_nothing_ever_were(
    commands: list[ChildCommand], more: list[ChildCommand]
):
    child, happened = valid_past(commands)
    for command in (*commands, *more):
        assert answer(command, child) == answer(command, unbounded(happened))


@settings(max_examples=150, deadline=None)
@over(st.lists(st.sampled_from(ASKED), max_size=80), st.integers(1, 4))
def test_what_is_forgotten_might_as_well_never_have_been_and_all_else_is_known(
    commands: list[ChildCommand], limit: int
):
    # given
    child, happened = lived(limit, commands)
    everything = unbounded(happened)
    # then
    forgotten = {
        *(each for each in TALK_IDS if not child.had_conversation(each)),
        *(each for each in VIOLATION_IDS if child.violation(each) is None),
    }
    never = unbounded(event for event in happened if _id_of(event) not in forgotten)
    for command in ASKED:
        assert answer(command, child) == answer(command, never)
    assert child.open_violations == everything.open_violations
    assert child.open_conversations == everything.open_conversations


def _id_of(event: ChildEvent) -> str:
    found = getattr(event, "violation_id", None) or getattr(event, "conversation_id", "")
    return str(found)


@settings(max_examples=200, deadline=None)
@over(st.lists(st.integers(0, 20).map(str), max_size=80), st.integers(1, 7))
def test_the_newest_are_known_and_never_twice_as_many(names: list[str], limit: int):
    # when
    kept: Newest[int] = Newest(limit)
    for place, name in enumerate(names):
        kept = kept.insert(name, place)
    # then
    newest_first = list(dict.fromkeys(reversed(names)))
    last = {name: place for place, name in enumerate(names)}
    assert all(kept.get(name) == last[name] for name in newest_first[:limit])
    assert len(kept) < 2 * limit or not names


def test_of_all_that_is_closed_a_child_keeps_no_more_than_the_newest():
    child, most = Child(), 0
    for number in range(3 * KNOWN_ENDED_CONVERSATIONS):
        child = evolve(child, replace(ENDED, conversation_id=an_id(number)))
        child = evolve(child, replace(RESOLVED, violation_id=an_id(number)))
        most = max(most, child.ids)
    assert most <= 2 * (KNOWN_ENDED_CONVERSATIONS + KNOWN_RESOLVED_VIOLATIONS)


def test_no_open_violation_is_ever_forgotten():
    many = 3 * KNOWN_RESOLVED_VIOLATIONS
    reports = [replace(REPORTED, violation_id=an_id(number)) for number in range(many)]
    child = given(*ALLOWED, *reports)
    child.when(replace(REPORT, violation_id=an_id(0))).then_nothing_happens()
    assert len(child.child.open_violations) == many


def test_of_what_is_forgotten_is_said_what_is_said_of_what_never_was():
    # given
    one, newer = an_id(0), range(1, 1 + 2 * KNOWN_RESOLVED_VIOLATIONS)
    known = given(*ALLOWED, replace(RESOLVED, violation_id=one))
    later = [replace(RESOLVED, violation_id=an_id(number)) for number in newer]
    forgotten = given(*ALLOWED, replace(RESOLVED, violation_id=one), *later)
    # then
    known.when(replace(RESOLVE, violation_id=one)).then_refused(ViolationAlreadyResolved)
    forgotten.when(replace(RESOLVE, violation_id=one)).then_refused(ViolationNotFound)
    forgotten.when(replace(ACKNOWLEDGE, violation_id=one)).then_refused(ViolationNotFound)


def test_a_conversation_id_is_free_again_once_its_conversation_is_forgotten():
    # given
    newer = range(1, 1 + 2 * KNOWN_ENDED_CONVERSATIONS)
    later = [replace(ENDED, conversation_id=an_id(number)) for number in newer]
    forgotten = given(*ALLOWED, replace(ENDED, conversation_id=an_id(0)), *later)
    start = replace(START, conversation_id=an_id(0))
    # then
    forgotten.when(start).then(
        replace(STARTED, at=LATER, conversation_id=an_id(0), topic="dinosaurs")
    )
    forgotten.when(replace(END, conversation_id=an_id(0))).then_refused(ConversationNotFound)


def test_one_conversation_too_many_ends_the_one_that_was_left_open_longest():
    # given
    open_talks = talks(OPEN_CONVERSATIONS)
    full = given(*ALLOWED, *reversed(open_talks))
    begun = replace(STARTED, at=LATER, topic="dinosaurs")
    # when, then
    full.when(START).then(ended(open_talks[0]), begun)
    after = given(*ALLOWED, *open_talks, ended(open_talks[0]), begun)
    assert len(after.child.open_conversations) == OPEN_CONVERSATIONS
    for command in (MESSAGE, END):
        late = replace(command, conversation_id=open_talks[0].conversation_id)
        after.when(late).then_refused(ConversationNotOpen)


def test_up_to_the_limit_nothing_is_ended():
    given(*ALLOWED, *talks(OPEN_CONVERSATIONS - 1)).when(START).then(
        replace(STARTED, at=LATER, topic="dinosaurs")
    )


def test_a_child_with_many_open_from_before_comes_down_to_the_limit_start_by_start():
    # given
    child = reduce(evolve, (*ALLOWED, *talks(3 * OPEN_CONVERSATIONS)), Child())
    # when
    most = 0
    for number in range(1_000, 1_020):
        start: StartConversation = replace(START, conversation_id=an_id(number))
        events = events_of(start, child)
        most = max(most, len(events))
        child = reduce(evolve, events, child)
    # then
    assert most == ENDED_AT_ONCE + 1
    assert len(child.open_conversations) == OPEN_CONVERSATIONS
    assert an_id(0) not in child.open_conversations


@pytest.mark.parametrize("command", [MESSAGE, END, REPORT])
def test_only_a_start_ends_others(command: ChildCommand):
    child = given(*ALLOWED, STARTED, *talks(2 * OPEN_CONVERSATIONS))
    assert len(child.when(command).events()) == 1
