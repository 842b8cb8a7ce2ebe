"""Values of an event that are sealed: which field of which event, and how they are opened."""

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from shared.event_store.envelope import event_id
from shared.keyring.cipher import ChildCipher, SealBroken, field_place
from shared.serialization.schema import (
    FORMER_NAMES,
)

SEALED = "$sealed"


ALL_LABELS = "labels"
"""The name under which an event's labels are sealed, together: each by itself would take three
times as long. No event has a field of this name."""


PADDED_BYTES = 32
"""Values are sealed in multiples of it: a ciphertext shows how long its value is, and that would
tell a short name, or an age below 10, from others when nothing else does any more."""


class UndecodableEvent(Exception):
    """The record is not an event that this code knows how to read."""


class NothingToSealWith(Exception):
    """A personal value or a label was to be written for a child that has no key."""


@dataclasses.dataclass(frozen=True, slots=True)
class SealedField:
    """From where a sealed value is read. `of`: the id of what it tells of, where a child has
    several (a violation's); None: the child itself."""

    name: str
    of: str | None


def sealed_field(event_type: str, name: str, content: Mapping[str, Any]) -> SealedField:
    """The field `name` of an event with the wire form `content`."""
    of = content.get(TOLD_OF.get((event_type, name), ""))
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


def _is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {SEALED}


def _padded(json: bytes) -> bytes:
    """The same JSON with blanks after it."""
    return json.ljust(-(-len(json) // PADDED_BYTES) * PADDED_BYTES)


TOLD_OF: Mapping[tuple[str, str], str] = {
    ("SafetyViolationReported", "details"): "violation_id",
}
"""Event type and personal field to the field with the id that the value is bound to as well: of
what a child has several of, one's value cannot be moved to another. Entries stay for ever, also
when an upcaster renames their type."""
