"""Says in words what differs between a read model and its events, and since which event."""

from collections.abc import Iterator
from typing import Any

from projection_worker.projections.registry import ChildView, Place, apply
from projection_worker.projector import UNFOLDABLE
from projection_worker.replay.comparison import Difference
from projection_worker.replay.folding import documents_of
from projection_worker.replay.opened import Opened
from shared.codec import decode
from shared.envelope import RecordedEvent
from shared.read_models.generations import live_generation
from shared.read_models.models import Model

SEALED_FIELDS = frozenset(
    {"name", "udid", "device_id", "preferences", "learning_style", "interests", "details"}
)
ABSENT = "(absent)"


async def in_words(on: Opened, one: Difference) -> str:
    """One line. Personal values stay sealed: of them only that they differ is said."""
    place = f"{one.model}/{one.document} {one.field}"
    if one.field.split(".")[-1].split("[")[0] in SEALED_FIELDS:
        said = f"{place}: the sealed value is not the one that the events hold"
    else:
        said = f"{place}: events say {_value(one.expected)}, read model has {_value(one.found)}"
    event = await _since(on, one)
    return said if event is None else f"{said} (since version {event.version}: {event.type})"


async def _since(on: Opened, one: Difference) -> RecordedEvent | None:
    """The event that made the value what the read model should have."""
    if not one.child_id or one.model not in set(Model):
        return None
    events = [e for commit in await on.store.load(one.child_id) for e in commit.recorded_events()]
    gate = await _gate(on, one.child_id)
    before: Any = ABSENT
    since: RecordedEvent | None = None
    try:
        for event, value in await _values(on, events[:gate], one):
            if value != before:
                before, since = value, event
    except UNFOLDABLE:
        return None
    return since


async def _values(
    on: Opened, events: list[RecordedEvent], one: Difference
) -> list[tuple[RecordedEvent, Any]]:
    """The field's value after each event."""
    cipher = (await on.keyring.ciphers([one.child_id])).get(one.child_id) if events else None
    place: Place = (Model(one.model), one.document)
    view, values = ChildView(), []
    for recorded in events:
        event = decode(recorded, cipher, on.index)
        view = apply(view, event, recorded.version, recorded.event_id)
        document = documents_of(view).get(place, ABSENT)
        values.append((recorded, _at(document, one.field)))
    return values


async def _gate(on: Opened, child_id: str) -> int:
    children = (await live_generation(on.database)).collection(on.database, Model.CHILDREN)
    found = await children.find_one({"_id": child_id}, {"version": 1})
    return int(found["version"]) if found else 0


def _at(document: Any, path: str) -> Any:
    """The value at `path`, e.g. `violations[2].outcome`; the document itself for `(document)`."""
    if path == "(document)":
        return document if document == ABSENT else "present"
    for step in _steps(path):
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return document


def _steps(path: str) -> Iterator[str | int]:
    for name in path.split("."):
        field, *places = name.split("[")
        yield field
        yield from (int(place.rstrip("]")) for place in places)


def _value(value: object) -> str:
    return value if isinstance(value, str) and value.startswith("(") else repr(value)
