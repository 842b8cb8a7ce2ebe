"""Commands with their values checked and normalised. Needs no state: it can run before any I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args, get_type_hints

from command_service.child.commands import UNCHANGED, ChildCommand, UpdateChildProfile
from command_service.child.errors import NoChangeGiven
from command_service.child.field_checks import Checked, FieldChecks

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
    checks, changed, is_any_given = FieldChecks(), dict[str, Any](), False
    for field in CHECKED_FIELDS[type(command)]:
        value = getattr(command, field.name)
        if value is UNCHANGED:
            continue
        is_any_given = True
        if value is None:
            continue
        normal = field.checked.normal(checks, field.name, value)
        if field.may_be_none:
            normal = normal or None
        if normal != value:
            changed[field.name] = normal
    if isinstance(command, UpdateChildProfile) and not is_any_given:
        raise NoChangeGiven
    checks.raise_errors()
    return replace(command, **changed) if changed else command
