"""The schema of every event, from its dataclass: which fields are sealed, and how each is read.

Made when this module is imported: the codec asks nothing of types while it works.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.clock import parse_iso
from shared.events.child import SCHEMA_VERSIONS, AlertPolicy, ChildEvent
from shared.keyring.search_index import SearchIndex
from shared.personal import IS_LABEL, UNREADABLE, Personal

CLOSED = object()
"""Stands for a label that does not open."""

_Reader = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """`unread`: what a label is that does not open."""

    name: str
    personal: bool
    label: bool
    searchable: bool
    read: _Reader
    unread: Any

    def of(self, value: Any, index: SearchIndex | None) -> Any:
        """The field of an event, from its wire value or from a `Personal` that was opened."""
        if value is CLOSED:
            return self.unread
        if self.searchable and index is not None and value.value is not None:
            return Personal(value.value, value.sealed, index.tokens_of(value.value))
        return self.read(value)


def _read_personal(value: Any) -> Personal[Any]:
    if not isinstance(value, Personal):
        raise TypeError("a personal field is sealed")
    return value


def _read_policy(content: dict[str, Any]) -> AlertPolicy:
    hints = typing.get_type_hints(AlertPolicy)
    return AlertPolicy(**{name: _reader(hints[name])(value) for name, value in content.items()})


def _reader(annotation: Any) -> _Reader:
    """How a JSON value becomes a field of type `annotation`."""
    if annotation is datetime:
        return parse_iso
    if annotation is AlertPolicy:
        return _read_policy
    if typing.get_origin(annotation) is tuple:
        read = _reader(typing.get_args(annotation)[0])
        return lambda values: tuple(read(value) for value in values)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return annotation
    return lambda value: _exactly(annotation, value)


def _exactly(annotation: type, value: Any) -> Any:
    if type(value) is not annotation:
        raise TypeError(f"expected {annotation.__name__}")
    return value


def _fields_of(event_class: type[ChildEvent]) -> dict[str, Field]:
    hints = typing.get_type_hints(event_class, include_extras=True)
    fields = {}
    for known in dataclasses.fields(event_class):
        annotation, optional = _without_none(hints[known.name])
        personal = typing.get_origin(annotation) is Personal
        label = IS_LABEL in getattr(annotation, "__metadata__", ())
        plain = typing.get_args(annotation)[0] if label else annotation
        fields[known.name] = Field(
            name=known.name,
            personal=personal,
            label=label,
            searchable=bool(known.metadata.get("searchable")),
            read=_read_personal if personal else _reader(plain),
            unread=None if optional else _UNREAD.get(typing.get_origin(plain) or plain),
        )
    return fields


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The type, and whether None may stand for it."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation, False
    (only,) = (a for a in typing.get_args(annotation) if a is not type(None))
    return only, True


_UNREAD: Mapping[type, Any] = {str: UNREADABLE, int: 0, tuple: ()}
CLASSES: Mapping[str, type[ChildEvent]] = {cls.__name__: cls for cls in SCHEMA_VERSIONS}
FIELDS: Mapping[type[ChildEvent], Mapping[str, Field]] = {
    cls: _fields_of(cls) for cls in SCHEMA_VERSIONS
}

PERSONAL_FIELDS = frozenset(
    known.name for fields in FIELDS.values() for known in fields.values() if known.personal
)
"""Every field that is sealed in some event."""

LABELS = frozenset(
    known.name for fields in FIELDS.values() for known in fields.values() if known.label
)
"""Every field that is sealed in events and stands in clear in read models."""
