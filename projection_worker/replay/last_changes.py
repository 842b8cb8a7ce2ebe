"""Finds the events that made values what read models should have: one pass for each child."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from projection_worker.projections.registry import ChildView, Place, apply
from projection_worker.projections.rules import Rules
from projection_worker.projector import UNREADABLE
from projection_worker.replay.comparison import ABSENT, Difference
from projection_worker.replay.folding import documents_of
from projection_worker.replay.histories import events_of, telling_pages
from projection_worker.replay.opened import Opened
from projection_worker.replay.rules_of import rules_of
from shared.codec import decode_what_opens
from shared.envelope import RecordedEvent
from shared.events.child import ChildEvent
from shared.read_models.generations import Generation
from shared.read_models.models import Model


async def changes_behind(
    on: Opened,
    generation: Generation,
    differences: Sequence[Difference],
    rules: Rules | None = None,
) -> list[RecordedEvent | None]:
    """For each of them the event by which the value should have come; None where no event tells.
    `rules`: by which the events were folded, if not by those of the generation."""
    folded_by = rules or await rules_of(on.database, generation)
    traced: dict[str, list[Traced]] = defaultdict(list)
    found = [Traced(one) for one in differences]
    for one in found:
        if one.difference.child_id and one.difference.model in set(Model):
            traced[one.difference.child_id].append(one)
    for child_id, of_child in traced.items():
        gate = await _gate(on, generation, child_id)
        await _trace_version(on, child_id, gate, of_child)
        await _trace_values(on, folded_by, child_id, gate, of_child)
    return [one.since for one in found]


@dataclass(slots=True)
class Traced:
    """A difference, the value that events gave its field so far, and by which event."""

    difference: Difference
    value: Any = ABSENT
    since: RecordedEvent | None = None

    @property
    def place(self) -> Place:
        return Model(self.difference.model), self.difference.document

    def look(self, documents: Mapping[Place, Any], event: RecordedEvent) -> None:
        """`event` made or changed its document."""
        if (value := value_at(documents, self.difference)) != self.value:
            self.value, self.since = value, event


class Trace:
    """Folds one child and keeps only the documents of `traced`, so that an event costs the same
    however long the child's history is."""

    def __init__(self, traced: Sequence[Traced], rules: Rules) -> None:
        self._traced = traced
        self._rules = rules
        self._kept = {one.place for one in traced}
        self._view = ChildView()

    def take(self, recorded: RecordedEvent, event: ChildEvent) -> None:
        before = documents_of(self._view)
        folded = apply(self._view, event, recorded.version, recorded.event_id, self._rules)
        after = documents_of(folded)
        for one in self._traced:
            if after.get(one.place) is not before.get(one.place):
                one.look(after, recorded)
        self._view = self._without_others(folded)

    def _without_others(self, view: ChildView) -> ChildView:
        """The `safety` document stays as well: alerts are raised by it."""
        documents = view.documents.items()
        kept = {place: d for place, d in documents if place in self._kept | {_safety(view)}}
        alerts = tuple(one for one in view.alerts if (Model.ALERTS, one["_id"]) in self._kept)
        return replace(view, documents=kept, changed=frozenset(), alerts=alerts, acknowledged={})


def value_at(documents: Mapping[Place, Any], one: Difference) -> Any:
    """The value at a path like `topics[2].name`; of a whole document, that it is there."""
    document = documents.get((Model(one.model), one.document), ABSENT)
    if one.field == "(document)":
        return document if document == ABSENT else "present"
    for step in steps(one.field):
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return document


def steps(path: str) -> Iterator[str | int]:
    for name in path.split("."):
        field, *places = name.split("[")
        yield field
        yield from (int(place.rstrip("]")) for place in places)


async def _trace_version(on: Opened, child_id: str, gate: int, traced: Sequence[Traced]) -> None:
    """The first event that the documents have not seen."""
    late = [one for one in traced if one.difference.field == "version"]
    if late:
        following = events_of(await on.store.load(child_id, gate, 1))
        first = next((event for event in following if event.version > gate), None)
        for one in late:
            one.since = first


async def _trace_values(
    on: Opened, rules: Rules, child_id: str, gate: int, traced: Sequence[Traced]
) -> None:
    others = [one for one in traced if one.difference.field != "version"]
    if not others:
        return
    trace = Trace(others, rules)
    cipher = (await on.keyring.ciphers([child_id])).get(child_id)
    try:
        async for events in telling_pages(on.store, child_id):
            for recorded in events:
                if recorded.version > gate:
                    return
                event, _ = decode_what_opens(recorded, cipher, on.index)
                trace.take(recorded, event)
    except UNREADABLE:
        for one in others:
            one.since = None


async def _gate(on: Opened, generation: Generation, child_id: str) -> int:
    children = generation.collection(on.database, Model.CHILDREN)
    found = await children.find_one({"_id": child_id}, {"version": 1})
    return int(found["version"]) if found else 0


def _safety(view: ChildView) -> Place:
    assert view.child is not None
    return Model.SAFETY, view.child["_id"]
