"""The child as a decider: a command in its normal form, events from that and a child, the next
child from each event.

Each part of a child has a file with its own commands and events; here is only who is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, assert_never, get_args, get_type_hints

from command_service.child import account, consents, conversations, lifecycle, safety
from command_service.child.commands import (
    UNCHANGED,
    AccountCommand,
    ChildCommand,
    ConsentCommand,
    ConversationCommand,
    LifecycleCommand,
    SafetyCommand,
    UpdateChildProfile,
)
from command_service.child.errors import NoChangeGiven
from command_service.child.field_checks import Checked, FieldChecks
from command_service.child.state import Child
from shared.events.child import (
    AccountEvent,
    ChildEvent,
    ConversationEvent,
    LifecycleEvent,
    MessageRecorded,
    SafetyEvent,
)

CHANGES_NOTHING = frozenset({MessageRecorded})
"""Events that nothing is decided by: most of a long stream, so whoever folds one may leave them
out."""

C = TypeVar("C", bound=ChildCommand)


@dataclass(frozen=True, slots=True)
class CheckedField:
    name: str
    checked: Checked
    may_be_none: bool


def _checked_fields(command: type[Any]) -> tuple[CheckedField, ...]:
    hints = get_type_hints(command, include_extras=True)
    return tuple(
        CheckedField(name, checked, type(None) in get_args(hint))
        for name, hint in hints.items()
        if (checked := _checked_in(hint)) is not None
    )


def _checked_in(hint: Any) -> Checked | None:
    """Of `Annotated[...]`, also where that is one of several types: `Annotated[...] | None`."""
    for alternative in (hint, *get_args(hint)):
        for note in getattr(alternative, "__metadata__", ()):
            if isinstance(note, Checked):
                return note
    return None


CHECKED_FIELDS: Mapping[type[Any], Sequence[CheckedField]] = {
    command: _checked_fields(command) for command in get_args(ChildCommand)
}
"""Of each command the fields whose annotation says how they are checked, in their order."""


def in_normal_form(command: C) -> C:
    """The command with normalised values; raises InvalidCommand with every field that is wrong.

    What is in normal form stays as it is. An empty list or object is the same as none.
    """
    checks, changed = FieldChecks(), dict[str, Any]()
    values = [(field, getattr(command, field.name)) for field in CHECKED_FIELDS[type(command)]]
    given = [(field, value) for field, value in values if value is not UNCHANGED]
    if isinstance(command, UpdateChildProfile) and not given:
        raise NoChangeGiven
    for field, value in given:
        if value is None:
            continue
        normal = field.checked.normal(checks, field.name, value)
        if field.may_be_none:
            normal = normal or None
        if normal != value:
            changed[field.name] = normal
    checks.raise_errors()
    return replace(command, **changed) if changed else command


def decide(command: ChildCommand, child: Child) -> list[ChildEvent]:
    """The events that make `command`, in normal form, true of `child`; none when it is true
    already. Raises a CommandRefused (errors.py), and nothing else."""
    if isinstance(command, AccountCommand):
        return account.decide(command, child)
    if isinstance(command, ConsentCommand):
        return consents.decide(command, child)
    if isinstance(command, LifecycleCommand):
        return lifecycle.decide(command, child)
    if isinstance(command, SafetyCommand):
        return safety.decide(command, child)
    if isinstance(command, ConversationCommand):
        return conversations.decide(command, child)
    assert_never(command)


def evolve(child: Child, event: ChildEvent) -> Child:
    """The child after `event`. Total: what happened is never refused, in whatever order it
    comes."""
    if isinstance(event, ConversationEvent):
        return conversations.evolve(child, event)
    if isinstance(event, SafetyEvent):
        return safety.evolve(child, event)
    if isinstance(event, AccountEvent):
        return account.evolve(child, event)
    if isinstance(event, LifecycleEvent):
        return lifecycle.evolve(child, event)
    assert_never(event)
