"""Events to JSON and back. Personal fields are sealed on the way out, opened on the way in.

The wire form of an event is a JSON object of its fields; None is left out. A personal field is
`{"$sealed": "<base64>"}`. The schema is the dataclass: one reader and one writer a field are made
from its type when this module is imported.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from shared.clock import iso, parse_iso
from shared.envelope import EncodedEvent, RecordedEvent, event_id
from shared.events.child import SCHEMA_VERSIONS, AlertPolicy, ChildEvent
from shared.keyring.cipher import ChildCipher, SealBroken, field_place
from shared.keyring.search_index import SearchIndex
from shared.personal import Personal
from shared.upcasters import UPCASTERS, Upcaster, upcast

SEALED = "$sealed"

NOT_OF_THAT_SCHEMA = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading or upcasting content raises that is not what its schema says."""

_Reader = Callable[[Any], Any]


class UndecodableEvent(Exception):
    """The record is not an event that this code knows how to read."""


class NothingToSealWith(Exception):
    """A personal value was to be written for a child that has no key."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    personal: bool
    searchable: bool
    read: _Reader


def encode(event: ChildEvent, version: int, cipher: ChildCipher | None) -> EncodedEvent:
    """The wire form of `event` at `version` of its stream, sealed with the child's cipher.

    Raises NothingToSealWith when there is none and the event has a personal value.
    """
    identity = event_id(event.child_id, version)
    content: dict[str, Any] = {}
    for known in _FIELDS[type(event)].values():
        value = getattr(event, known.name)
        if value is None:
            continue
        if known.personal:
            if cipher is None:
                raise NothingToSealWith(f"{identity}: {known.name} is personal")
            plaintext = orjson.dumps(value.reveal())
            place = field_place(identity, known.name)
            value = {SEALED: cipher.seal(plaintext, place)}
        content[known.name] = value
    data = orjson.dumps(content, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
    name = type(event).__name__
    return EncodedEvent(name, SCHEMA_VERSIONS[type(event)], event.at, data.decode())


def decode(
    recorded: RecordedEvent,
    cipher: ChildCipher | None,
    index: SearchIndex | None = None,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> ChildEvent:
    """The event in today's schema.

    Without `cipher` (the key is destroyed) personal fields have no value, only their ciphertext.
    With `index`, searchable fields carry their search tokens. Raises UndecodableEvent, or
    SealBroken for a ciphertext that was altered or moved.
    """
    content = _load(recorded)
    opened = {
        name: _open(recorded, name, value[SEALED], cipher)
        if isinstance(value, dict) and SEALED in value
        else value
        for name, value in content.items()
    }
    try:
        event_type, schema_version, current = upcast(
            recorded.type, recorded.schema_version, opened, upcasters
        )
    except NOT_OF_THAT_SCHEMA as error:
        raise UndecodableEvent(_misfit(recorded.type, error)) from error
    event_class = _CLASSES.get(event_type)
    if event_class is None:
        raise UndecodableEvent(f"unknown event type {event_type!r}")
    if schema_version != SCHEMA_VERSIONS[event_class]:
        raise UndecodableEvent(f"{event_type} of unknown schema version {schema_version}")
    event = _build(event_class, current, index)
    if event.child_id != recorded.child_id:
        raise UndecodableEvent(f"{event_type} is about another child than its envelope")
    return event


def decode_what_opens(
    recorded: RecordedEvent, cipher: ChildCipher | None, index: SearchIndex | None = None
) -> tuple[ChildEvent, SealBroken | None]:
    """As `decode`. The personal fields of an event of which one does not open stay sealed, as if
    there were no key; then also why."""
    try:
        return decode(recorded, cipher, index), None
    except SealBroken as broken:
        return decode(recorded, None), broken


def _build(
    event_class: type[ChildEvent], content: Mapping[str, Any], index: SearchIndex | None
) -> ChildEvent:
    fields = _FIELDS[event_class]
    arguments: dict[str, Any] = {}
    try:
        for name, value in content.items():
            known = fields[name]
            if known.searchable and index is not None and value.value is not None:
                tokens = index.tokens_of(value.value)
                arguments[name] = Personal(value.value, value.sealed, tokens)
            else:
                arguments[name] = known.read(value)
        return event_class(**arguments)
    except NOT_OF_THAT_SCHEMA as error:
        raise UndecodableEvent(_misfit(event_class.__name__, error)) from error


def _misfit(event_type: str, error: Exception) -> str:
    """Without the content: it may be personal."""
    return f"{event_type} does not fit its schema ({type(error).__name__})"


def open_sealed(child_id: str, sealed: str, cipher: ChildCipher) -> Any:
    """The value of a read model's sealed field (`Personal.sealed`: `version.field.base64`)."""
    version, name, ciphertext = sealed.split(".", 2)
    place = field_place(event_id(child_id, int(version)), name)
    return orjson.loads(cipher.open(ciphertext, place))


def in_clear(recorded: RecordedEvent) -> list[str]:
    """The personal fields whose value is no ciphertext. Raises UndecodableEvent."""
    event_class = _CLASSES.get(recorded.type)
    if event_class is None:
        raise UndecodableEvent(f"unknown event type {recorded.type!r}")
    content = _load(recorded)
    personal = [known.name for known in _FIELDS[event_class].values() if known.personal]
    return [name for name in personal if name in content and not _is_sealed(content[name])]


def _is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {SEALED}


def _open(
    recorded: RecordedEvent, name: str, ciphertext: str, cipher: ChildCipher | None
) -> Personal[Any]:
    sealed = f"{recorded.version}.{name}.{ciphertext}"
    value = None if cipher is None else open_sealed(recorded.child_id, sealed, cipher)
    return Personal(value, sealed)


def _load(recorded: RecordedEvent) -> dict[str, Any]:
    try:
        content = orjson.loads(recorded.data)
    except orjson.JSONDecodeError as error:
        raise UndecodableEvent("not JSON") from error
    if not isinstance(content, dict):
        raise UndecodableEvent("not a JSON object")
    return content


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(f"{type(value).__name__} has no wire form")


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


def _fields_of(event_class: type[ChildEvent]) -> dict[str, _Field]:
    hints = typing.get_type_hints(event_class)
    fields = {}
    for known in dataclasses.fields(event_class):
        annotation = _without_none(hints[known.name])
        personal = typing.get_origin(annotation) is Personal
        fields[known.name] = _Field(
            name=known.name,
            personal=personal,
            searchable=bool(known.metadata.get("searchable")),
            read=_read_personal if personal else _reader(annotation),
        )
    return fields


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    (only,) = (a for a in typing.get_args(annotation) if a is not type(None))
    return only


_CLASSES: dict[str, type[ChildEvent]] = {cls.__name__: cls for cls in SCHEMA_VERSIONS}
_FIELDS = {cls: _fields_of(cls) for cls in SCHEMA_VERSIONS}
