"""What holds for every command, also for one that is new."""

from dataclasses import fields
from functools import reduce
from typing import Any, get_args, get_type_hints

import pytest

from command_service.child.commands import (
    AcknowledgeSafetyViolation,
    ChildCommand,
    ConfigureAlerts,
    DeactivateChild,
    EndConversation,
    EraseChild,
    GiveConsent,
    ReactivateChild,
    RegisterChild,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    WithdrawConsent,
)
from command_service.child.decider import CHECKED_FIELDS, decide, evolve, in_normal_form
from command_service.child.errors import ConsentRequired
from command_service.child.state import Child
from shared.events.child import ChildEvent
from shared.serialization.schema import PERSONAL_FIELDS
from tests.support.child_facts import DEACTIVATED, REGISTERED, REPORTED, STARTED
from tests.support.event_samples import sample_of

COMMANDS = get_args(ChildCommand)
EACH = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
IDS = frozenset({"child_id", "violation_id"})
"""Checked in the path of a request, or made for it."""

NEEDS_NO_CONSENT = {
    *(ReportSafetyViolation, ResolveSafetyViolation, AcknowledgeSafetyViolation, ConfigureAlerts),
    *(EndConversation, DeactivateChild, EraseChild),
    *(GiveConsent, WithdrawConsent),
    RegisterChild,
}
"""What protects the child, ends something or says what the parent consents to. A registration
brings its consents: test_consent.py."""


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


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in NEEDS_NO_CONSENT])
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
    for command in COMMANDS:
        if not {"udid", "parent_id", "device_id"} & set(get_type_hints(command)):
            in_normal_form(sample_of(command))


def _types(hint: Any) -> set[Any]:
    """The types that a hint is made of."""
    return {hint}.union(*(_types(inner) for inner in get_args(hint)))
