"""What holds for every past and every command, tried with generated ones."""

from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from command_service.child.account import AccountStatus
from command_service.child.commands import UNCHANGED, ChildCommand
from command_service.child.decider import evolve, in_normal_form
from command_service.child.errors import CommandRefused
from command_service.child.state import Child
from shared.events.child import (
    ChildEvent,
    ConsentPurpose,
    ConversationEnded,
    ConversationStarted,
    SafetyViolationAcknowledged,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from tests.support.child_facts import ALLOWED, update
from tests.support.decider_spec import events_of
from tests.support.generated_lives import COMMANDS, EVENTS, LIVES, UPDATES, valid_past


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=15))
def test_evolve_takes_any_events_in_any_order(events: list[ChildEvent]):
    assert isinstance(reduce(evolve, events, Child()), Child)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=6), COMMANDS)
def test_decide_raises_nothing_but_refusals(events: list[ChildEvent], command: ChildCommand):
    child = reduce(evolve, events, Child())
    try:
        decided = events_of(command, child)
    except CommandRefused:
        return
    assert all(event.child_id == command.child_id for event in decided)
    assert all(event.at == command.at for event in decided)


@settings(max_examples=150, deadline=None)
@given(LIVES)
def test_no_sequence_of_commands_breaks_the_invariants(commands: list[ChildCommand]):
    # when
    child, happened = valid_past(commands)
    # then
    kinds = [type(event).__name__ for event in happened]
    assert kinds.count("ChildRegistered") == (child.status is not AccountStatus.UNREGISTERED)
    assert kinds[:1] in ([], ["ChildRegistered"])
    assert 0 <= kinds.count("ChildDeactivated") - kinds.count("ChildReactivated") <= 1
    assert "ChildErased" not in kinds[:-1]
    started = [e.conversation_id for e in happened if isinstance(e, ConversationStarted)]
    ended = [e.conversation_id for e in happened if isinstance(e, ConversationEnded)]
    assert len(set(started)) == len(started)
    assert len(set(ended)) == len(ended)
    assert set(ended) <= set(started)
    reported = [e.violation_id for e in happened if isinstance(e, SafetyViolationReported)]
    resolved = [e.violation_id for e in happened if isinstance(e, SafetyViolationResolved)]
    assert len(set(reported)) == len(reported)
    assert len(set(resolved)) == len(resolved)
    assert set(resolved) <= set(reported)
    seen = [e.violation_id for e in happened if isinstance(e, SafetyViolationAcknowledged)]
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(reported)
    told_in = [e.conversation_id for e in happened if isinstance(e, SafetyViolationReported)]
    assert set(told_in) <= {*started, None}
    assert not child.consents or ConsentPurpose.ACCOUNT in child.consents
    if child.status in (AccountStatus.ACTIVE, AccountStatus.DEACTIVATED):
        assert set(child.open_conversations) == set(started) - set(ended)
        closed = {**child.resolved_violations.older, **child.resolved_violations.recent}
        assert set(closed) == set(resolved)
        assert set(child.open_violations) == set(reported) - set(resolved)
        known = {**closed, **child.open_violations}
        assert {v for v, each in known.items() if each.acknowledged} == set(seen)


@settings(max_examples=150, deadline=None)
@given(COMMANDS)
def test_the_normal_form_of_a_normal_form_is_itself(command: ChildCommand):
    try:
        normal = in_normal_form(command)
    except CommandRefused:
        return
    assert in_normal_form(normal) == normal


@settings(max_examples=100, deadline=None)
@given(UPDATES, UPDATES)
def test_the_same_update_twice_changes_nothing_more(first: dict[str, Any], second: dict[str, Any]):
    # given
    child = reduce(evolve, ALLOWED, Child())
    for changes in (first, second):
        try:
            child = reduce(evolve, events_of(update(**changes), child), child)
        except CommandRefused:
            return
    # when, then
    assert events_of(update(**second), child) == []
    assert UNCHANGED not in second.values()
