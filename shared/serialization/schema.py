"""What the events of each schema version hold: their fields, which of them are sealed and how those
are opened, and the upcasters from older versions."""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import orjson

from shared.clock import parse_iso
from shared.event_store.envelope import event_id
from shared.events.child import SCHEMA_VERSIONS, AlertPolicy, ChildEvent
from shared.events.personal import (
    IS_LABEL,
    IS_STAFF,
    LABELS_IN_CLEAR,
    LAST_IN_CLEAR,
    UNREADABLE,
    Personal,
)
from shared.keyring.keyring import ChildCipher, SealBroken, field_place
from shared.keyring.search_index import SearchIndex

CLOSED = object()
"""Stands for a label that does not open."""

_Reader = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """`unread`: what a label is that does not open."""

    name: str
    personal: bool
    label: bool
    staff: bool
    searchable: bool
    read: _Reader
    unread: Any

    @property
    def is_plain(self) -> bool:
        """Whether `read` is all there is to do."""
        return not (self.label or self.searchable)

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
    return partial(_exactly, annotation)


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
        marks = getattr(annotation, "__metadata__", ())
        plain = typing.get_args(annotation)[0] if IS_LABEL in marks else annotation
        fields[known.name] = Field(
            name=known.name,
            personal=personal,
            label=IS_LABEL in marks,
            staff=IS_STAFF in marks,
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

STAFF = frozenset(
    known.name for fields in FIELDS.values() for known in fields.values() if known.staff
)
"""Every field that names one of the staff in some event."""

Upcaster = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]


def _as_it_is(event_type: str) -> Upcaster:
    """Whether a label was sealed is seen from its wire form; a field that is new has a default."""
    return lambda content: (event_type, content)


READERS: Mapping[type[ChildEvent], Mapping[str, _Reader]] = {
    cls: {name: known.read for name, known in fields.items() if known.is_plain}
    for cls, fields in FIELDS.items()
}
"""Of the fields that are neither labels nor searchable."""


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    **{(one, LAST_IN_CLEAR): _as_it_is(one) for one in sorted(LABELS_IN_CLEAR)},
    ("SafetyViolationResolved", 2): _as_it_is("SafetyViolationResolved"),
}
"""By type and schema version."""

FORMER_NAMES: Mapping[str, tuple[str, ...]] = {}
"""Of each personal field that an upcaster renames: the names under which it was sealed before. What
a read model holds is opened as what it was sealed as."""


def upcast(
    event_type: str,
    schema_version: int,
    content: dict[str, Any],
    upcasters: Mapping[tuple[str, int], Upcaster],
) -> tuple[str, int, dict[str, Any]]:
    """Apply upcasters one after the other until none is registered for the version reached.

    Gives type name, schema version and fields as they are then.

    An upcaster takes one schema version of one event type to the next. It is given the fields by
    name (personal ones already opened, as `Personal`) and returns the new type name and fields.
    Register it in UPCASTERS under (type, old schema version); add a golden file of the old wire
    form, which stays for ever.
    """
    while (step := upcasters.get((event_type, schema_version))) is not None:
        event_type, content = step(content)
        schema_version += 1
    return event_type, schema_version, content


SEALED = "$sealed"

ALL_LABELS = "labels"
"""The name under which an event's labels are sealed, together: each by itself would take three
times as long. No event has a field of this name."""


class UndecodableEvent(Exception):
    """The record is not an event that this code knows how to read."""


class NothingToSealWith(Exception):
    """A personal value or a label was to be written for a child that has no key."""


@dataclasses.dataclass(frozen=True, slots=True)
class SealedField:
    """From where a sealed value is read. `of`: the id of what it is about, where a child has
    several (a violation's); None: the child itself."""

    name: str
    of: str | None


def sealed_field(event_type: str, name: str, content: Mapping[str, Any]) -> SealedField:
    """The field `name` of an event with the wire form `content`."""
    of = content.get(BOUND_TO.get((event_type, name), ""))
    return SealedField(name, of if isinstance(of, str) else None)


def open_sealed(child_id: str, sealed: str, cipher: ChildCipher, expected: SealedField) -> Any:
    """The value of a read model's sealed field (`Personal.sealed`: `version.field.base64`).

    Raises SealBroken when it was altered, or was sealed for another child, event or field than
    `expected`, or for another thing of the child; of the last, values of earlier releases say
    nothing.
    """
    version, _, rest = sealed.partition(".")
    name, _, ciphertext = rest.partition(".")
    if name != expected.name and name not in FORMER_NAMES.get(expected.name, ()):
        raise SealBroken(f"a sealed value stands as {expected.name} that was sealed as another")
    if not (version.isascii() and version.isdecimal()):
        raise SealBroken(f"sealed value of {expected.name} cannot be decrypted")
    identity = event_id(child_id, int(version))
    if expected.of is not None:
        with suppress(SealBroken):
            return orjson.loads(cipher.open(ciphertext, field_place(identity, name, expected.of)))
    return orjson.loads(cipher.open(ciphertext, field_place(identity, name, None)))


BOUND_TO: Mapping[tuple[str, str], str] = {
    ("SafetyViolationReported", "details"): "violation_id",
    ("SafetyViolationResolved", "note"): "violation_id",
    ("SafetyViolationReopened", "reason"): "violation_id",
}
"""Event type and personal field to the field with the id that the value is bound to as well: of
what a child has several of, one's value cannot be moved to another. Entries stay for ever, also
when an upcaster renames their type."""
