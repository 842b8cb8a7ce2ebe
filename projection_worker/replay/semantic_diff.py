"""Says in words what differs between a read model and its events, and since which event."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from projection_worker.dead_letter import DeadLetters
from projection_worker.projections.children import PERSONAL_FIELDS
from projection_worker.projections.registry import ChildView, Place, apply
from projection_worker.projector import UNREADABLE
from projection_worker.replay.comparison import ABSENT, COMMITS, Difference, Verification
from projection_worker.replay.folding import documents_of
from projection_worker.replay.opened import Opened
from projection_worker.replay.personal_values import SEALED
from shared.clock import utc_now
from shared.codec import decode_what_opens
from shared.envelope import RecordedEvent
from shared.read_models.generations import Generation
from shared.read_models.models import Model

SEALED_FIELDS = frozenset({*PERSONAL_FIELDS, "udid", "details", "name_tokens"})

Valued = tuple[RecordedEvent, Any]
"""An event, and a field's value after it."""


async def in_words(on: Opened, generation: Generation, found: Verification) -> list[str]:
    """One line for each difference. Personal values stay sealed: of them only that they differ is
    said."""
    dead_letters = DeadLetters(on.database, utc_now, generation)
    reasons = await dead_letters.all_parked() if found.parked else {}
    return [
        told(one, await _since(on, generation, one), reasons.get(one.child_id))
        for one in found.differences
    ]


def told(one: Difference, since: RecordedEvent | None = None, parked: str | None = None) -> str:
    """`since`: the event by which the value should have come; `parked`: why the child is."""
    place = f"{one.model}/{one.document} {one.field}"
    if one.model == COMMITS:
        where = f"version {one.found}" if isinstance(one.found, int) else one.found
        return f"{place}: {one.expected}: {where}"
    if one.model == Model.SYSTEM:
        said = f"{place}: the children sum up to {one.expected}, the counters to {one.found}"
    elif SEALED_FIELDS.intersection(_steps(one.field)):
        said = f"{place}: the sealed value is not the one that the events hold"
    else:
        said = f"{place}: events say {_value(one.expected)}, read model has {_value(one.found)}"
    if since is not None:
        said += f" (since version {since.version}: {since.type})"
    return said if parked is None else f"{said}; parked: {parked}"


async def _since(on: Opened, generation: Generation, one: Difference) -> RecordedEvent | None:
    """The event that made the value what the read model should have."""
    if not one.child_id or one.model not in set(Model):
        return None
    events = [e for commit in await on.store.load(one.child_id) for e in commit.recorded_events()]
    gate = await _gate(on, generation, one.child_id)
    if one.field == "version":
        return next((event for event in events if event.version > gate), None)
    cipher = (await on.keyring.ciphers([one.child_id])).get(one.child_id)
    view, values = ChildView(), list[Valued]()
    try:
        for recorded in events[:gate]:
            event, _ = decode_what_opens(recorded, cipher, on.index)
            view = apply(view, event, recorded.version, recorded.event_id)
            values.append((recorded, value_at(documents_of(view), one)))
    except UNREADABLE:
        return None
    return last_change(values)


def last_change(values: Iterable[Valued]) -> RecordedEvent | None:
    before: Any = ABSENT
    since: RecordedEvent | None = None
    for event, value in values:
        if value != before:
            before, since = value, event
    return since


async def _gate(on: Opened, generation: Generation, child_id: str) -> int:
    children = generation.collection(on.database, Model.CHILDREN)
    found = await children.find_one({"_id": child_id}, {"version": 1})
    return int(found["version"]) if found else 0


def value_at(documents: Mapping[Place, Any], one: Difference) -> Any:
    """The value at a path like `violations[2].outcome`; of a whole document, that it is there."""
    document = documents.get((Model(one.model), one.document), ABSENT)
    if one.field == "(document)":
        return document if document == ABSENT else "present"
    for step in _steps(one.field):
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
    return ABSENT if value == ABSENT else repr(_masked(value))


def _masked(value: object) -> object:
    """Without the personal values in it."""
    if isinstance(value, dict):
        return {n: SEALED if n in SEALED_FIELDS else _masked(one) for n, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value
