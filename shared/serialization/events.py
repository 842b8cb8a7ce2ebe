"""Events to JSON and back: personal fields and labels are sealed on the way, and opened again.

The wire form of an event is a JSON object of its fields; None and empty labels are left out. A
personal field is `{"$sealed": "<base64>"}`; so is `labels`, an object of all labels of the event.
At schema version 1 they are fields in clear.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from shared.clock import iso
from shared.event_store.envelope import EncodedEvent, RecordedEvent, event_id
from shared.events.child import SCHEMA_VERSIONS, ChildEvent
from shared.events.personal import LABELS_IN_CLEAR, LAST_IN_CLEAR, Personal
from shared.keyring.keyring import ChildCipher, SealBroken, field_place
from shared.keyring.search_index import SearchIndex
from shared.serialization.schema import (
    ALL_LABELS,
    BOUND_TO,
    CLASSES,
    CLOSED,
    FIELDS,
    READERS,
    SEALED,
    UPCASTERS,
    NothingToSealWith,
    UndecodableEvent,
    Upcaster,
    open_sealed,
    sealed_field,
    upcast,
)

NOT_OF_THAT_SCHEMA = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading or upcasting content raises that is not what its schema says."""

PADDED_BYTES = 32
"""Values are sealed in multiples of it: a ciphertext shows how long its value is, and that would
distinguish a short name, or an age below 10, from others when nothing else does any more."""


def encode(event: ChildEvent, version: int, cipher: ChildCipher | None) -> EncodedEvent:
    """The wire form of `event` at `version` of its stream, sealed with the child's cipher.

    Raises NothingToSealWith when there is none and the event has something to seal.
    """
    name, identity = type(event).__name__, event_id(event.child_id, version)
    content: dict[str, Any] = {}
    labels: dict[str, Any] = {}

    def sealed(value: Any, field: str, of: str | None) -> dict[str, str]:
        if cipher is None:
            raise NothingToSealWith(f"{identity}: {field} is sealed in events")
        return {SEALED: cipher.seal(_padded(orjson.dumps(value)), field_place(identity, field, of))}

    for known in FIELDS[type(event)].values():
        value = getattr(event, known.name)
        if value is None:
            continue
        if known.label:
            if value != ():
                labels[known.name] = value
        elif known.personal:
            bound_to = BOUND_TO.get((name, known.name))
            of = None if bound_to is None else getattr(event, bound_to)
            content[known.name] = sealed(value.reveal(), known.name, of)
        else:
            content[known.name] = value
    if labels:
        content[ALL_LABELS] = sealed(labels, ALL_LABELS, None)
    data = orjson.dumps(content, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
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
    event, broken = decode_what_opens(recorded, cipher, index, upcasters)
    if broken is not None:
        raise broken
    return event


def decode_what_opens(
    recorded: RecordedEvent,
    cipher: ChildCipher | None,
    index: SearchIndex | None = None,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> tuple[ChildEvent, SealBroken | None]:
    """As `decode`. Fields that do not open stay sealed, as if there were no key; then also why."""
    content = _load(recorded)
    opened, broken = _opened(recorded, content, cipher)
    try:
        event_type, schema_version, current = upcast(
            recorded.type, recorded.schema_version, opened, upcasters
        )
    except NOT_OF_THAT_SCHEMA as error:
        raise UndecodableEvent(_misfit(recorded.type, error)) from error
    event_class = CLASSES.get(event_type)
    if event_class is None:
        raise UndecodableEvent(f"unknown event type {event_type!r}")
    if schema_version != SCHEMA_VERSIONS[event_class]:
        raise UndecodableEvent(f"{event_type} of unknown schema version {schema_version}")
    event = _build(event_class, current, index)
    if event.child_id != recorded.child_id:
        raise UndecodableEvent(f"{event_type} is about another child than its envelope")
    return event, broken


def _build(
    event_class: type[ChildEvent], content: Mapping[str, Any], index: SearchIndex | None
) -> ChildEvent:
    fields, readers = FIELDS[event_class], READERS[event_class]
    try:
        return event_class(
            **{
                name: read(value) if (read := readers.get(name)) else fields[name].of(value, index)
                for name, value in content.items()
            }
        )
    except NOT_OF_THAT_SCHEMA as error:
        raise UndecodableEvent(_misfit(event_class.__name__, error)) from error


def _misfit(event_type: str, error: Exception) -> str:
    """Without the content: it may be personal."""
    return f"{event_type} does not fit its schema ({type(error).__name__})"


def in_clear(recorded: RecordedEvent) -> list[str]:
    """The fields to be sealed whose value is no ciphertext. Raises UndecodableEvent."""
    event_class = CLASSES.get(recorded.type)
    if event_class is None:
        raise UndecodableEvent(f"unknown event type {recorded.type!r}")
    content = _load(recorded)
    labels_too = not holds_labels_in_clear(recorded)
    sealed = [
        known.name
        for known in FIELDS[event_class].values()
        if known.personal or (known.label and labels_too)
    ]
    return [name for name in sealed if name in content and not _is_sealed(content[name])]


def holds_labels_in_clear(recorded: RecordedEvent) -> bool:
    """Whether it was published before labels were sealed."""
    return recorded.schema_version <= LAST_IN_CLEAR and recorded.type in LABELS_IN_CLEAR


def _opened(
    recorded: RecordedEvent, content: Mapping[str, Any], cipher: ChildCipher | None
) -> tuple[dict[str, Any], SealBroken | None]:
    """The content with a `Personal` for each sealed value; why not, if one did not open."""
    opened, broken = dict(content), None
    for name, value in content.items():
        if not (isinstance(value, dict) and SEALED in value):
            continue
        field, revealed = sealed_field(recorded.type, name, content), None
        sealed = f"{recorded.version}.{name}.{value[SEALED]}"
        if cipher is not None:
            try:
                revealed = open_sealed(recorded.child_id, sealed, cipher, field)
            except SealBroken as error:
                broken = broken or error
        opened[name] = Personal(revealed, sealed)
    if ALL_LABELS in opened:
        labels = _labels(recorded.type, opened.pop(ALL_LABELS))
        if not opened.keys().isdisjoint(labels):
            raise UndecodableEvent(f"{recorded.type} does not fit its schema (a label twice)")
        opened |= labels
    return opened, broken


def _labels(event_type: str, sealed: Any) -> Mapping[str, Any]:
    """What was sealed as an event's labels; those that nobody can open are marked so."""
    if not isinstance(sealed, Personal) or not isinstance(sealed.value, dict | None):
        raise UndecodableEvent(f"the labels of {event_type} are no sealed object")
    if sealed.value is not None:
        return sealed.value
    fields = FIELDS[CLASSES[event_type]] if event_type in CLASSES else {}
    return {known.name: CLOSED for known in fields.values() if known.label}


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


def _is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {SEALED}


def _padded(json: bytes) -> bytes:
    """The same JSON with blanks after it."""
    return json.ljust(-(-len(json) // PADDED_BYTES) * PADDED_BYTES)
