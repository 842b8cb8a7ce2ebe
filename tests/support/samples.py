"""A value of any command or event type, made from the types of its fields: what needs one of each
type has one of a new type, too.

The golden file of an event holds its sample: what is made here for a type never changes.
"""

import dataclasses
import types
import typing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from command_service.child.commands import UNCHANGED
from shared.events.personal import Personal

SOME_ID = "5d9c1b7e-3f0a-4e8d-9b61-2a7f4c0e8d13"
SOME_TIME = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOME_NUMBER = 7
LEFT_OUT = (type(None), type(UNCHANGED))


def sample_of(kind: type[Any], **given: Any) -> Any:
    """A `kind` with every field filled, those of `given` with what they are given."""
    hints = typing.get_type_hints(kind)
    made = {
        field.name: _value(field.name, hints[field.name])
        for field in dataclasses.fields(kind)
        if field.name not in given
    }
    return kind(**made, **given)


def _value(name: str, hint: Any) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(name, next(each for each in inner if each not in LEFT_OUT))
    if origin is Personal:
        return Personal(_value(name, inner[0]))
    if origin in (tuple, list):
        return origin([_value(name, inner[0])])
    if origin is not None:  # a dict or a mapping: preferences
        return {name: True}
    if dataclasses.is_dataclass(hint):
        return sample_of(typing.cast(type[Any], hint))
    if issubclass(hint, StrEnum):
        return next(iter(hint))
    if hint is str:
        return SOME_ID if name.endswith("_id") else f"some {name.replace('_', ' ')}"
    return {int: SOME_NUMBER, bool: True, datetime: SOME_TIME}[hint]
