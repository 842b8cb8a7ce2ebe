"""What holds for every command, also for one that is new, and for every past."""

from dataclasses import fields
from functools import reduce
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_service.child.account import AccountStatus
from command_service.child.commands import (
    UNCHANGED,
    AcknowledgeSafetyViolation,
    AssignSafetyViolation,
    ChildCommand,
    ConfigureAlerts,
    DeactivateChild,
    EndConversation,
    EraseChild,
    GiveConsent,
    ReactivateChild,
    RegisterChild,
    ReopenSafetyViolation,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    WithdrawConsent,
)
from command_service.child.decider import CHECKED_FIELDS, decide, evolve, in_normal_form
from command_service.child.errors import CommandRefused, ConsentRequired
from command_service.child.state import Child
from shared.events.child import (
    ChildEvent,
    ConsentPurpose,
    ConversationEnded,
    ConversationStarted,
    SafetyViolationAcknowledged,
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.serialization.schema import PERSONAL_FIELDS
from tests.support.child_facts import ALLOWED, DEACTIVATED, REGISTERED, REPORTED, STARTED, update
from tests.support.decider_spec import events_of
from tests.support.event_samples import sample_of
from tests.support.generated_lives import COMMANDS, EVENTS, LIVES, UPDATES, valid_past

KINDS = get_args(ChildCommand)
EACH = pytest.mark.parametrize("command", KINDS, ids=lambda command: command.__name__)
IDS = frozenset({"child_id", "violation_id"})
"""Checked in the path of a request, or made for it."""

NEEDS_NO_CONSENT = {
    *(ReportSafetyViolation, ResolveSafetyViolation, AcknowledgeSafetyViolation, ConfigureAlerts),
    *(ReopenSafetyViolation, AssignSafetyViolation),
    *(EndConversation, DeactivateChild, EraseChild),
    *(GiveConsent, WithdrawConsent),
    RegisterChild,
}
"""What protects the child, ends something or says what the parent consents to. A registration
brings its consents: test_account.py."""


@EACH
def test_every_text_and_number_has_its_limit(command: type[Any]):
    # given
    hints = get_type_hints(command)
    checked = {field.name for field in CHECKED_FIELDS[command]}
    # when
    unlimited = {
        name for name, hint in hints.items() if {str, int} & _types(hint) and name not in checked
    }
    # then
    assert unlimited <= IDS, (
        f"say how {command.__name__} checks {unlimited - IDS}: Annotated[..., Checked(...)] in "
        "command_service/child/commands.py"
    )


@EACH
def test_every_type_has_a_sample_with_every_field(command: type[Any]):
    sample = sample_of(command)
    assert all(getattr(sample, field.name) is not None for field in fields(command))


@EACH
def test_what_is_personal_is_never_printed(command: type[Any]):
    printed = repr(sample_of(command))
    shown = {name for name in PERSONAL_FIELDS if f"{name}=" in printed}
    assert shown == set(), (
        f"{command.__name__} prints {sorted(shown)}: say `repr=False` in "
        "command_service/child/commands.py"
    )


@pytest.mark.parametrize("command", [each for each in KINDS if each not in NEEDS_NO_CONSENT])
def test_what_keeps_something_new_needs_consent_to_it(command: type[Any]):
    # given a child from before consents were asked for
    happened: list[ChildEvent] = [REGISTERED, STARTED, REPORTED]
    if command is ReactivateChild:
        happened.append(DEACTIVATED)
    child = reduce(evolve, happened, Child())
    # when
    try:
        decided = decide(sample_of(command), child)
    except ConsentRequired:
        decided = None
    # then
    assert decided is None, (
        f"{command.__name__} asks for no consent: call `require_consent` where it is decided, or "
        "name it in NEEDS_NO_CONSENT with those that protect the child or end something"
    )


def test_a_sample_of_what_has_no_pattern_is_in_normal_form():
    for command in KINDS:
        if not {"udid", "parent_id", "device_id"} & set(get_type_hints(command)):
            in_normal_form(sample_of(command))


def _types(hint: Any) -> set[Any]:
    """The types that a hint is made of."""
    return {hint}.union(*(_types(inner) for inner in get_args(hint)))


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
    reopened = [e.violation_id for e in happened if isinstance(e, SafetyViolationReopened)]
    still_resolved = {one for one in resolved if resolved.count(one) > reopened.count(one)}
    assert len(resolved) - len(reopened) == len(still_resolved)
    assert set(reopened) <= set(resolved) <= set(reported)
    seen = [e.violation_id for e in happened if isinstance(e, SafetyViolationAcknowledged)]
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(reported)
    given_in = [e.conversation_id for e in happened if isinstance(e, SafetyViolationReported)]
    assert set(given_in) <= {*started, None}
    assert not child.consents or ConsentPurpose.ACCOUNT in child.consents
    if child.status in (AccountStatus.ACTIVE, AccountStatus.DEACTIVATED):
        assert set(child.open_conversations) == set(started) - set(ended)
        closed = {**child.resolved_violations.older, **child.resolved_violations.recent}
        assert set(closed) == still_resolved
        assert set(child.open_violations) == set(reported) - still_resolved
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
