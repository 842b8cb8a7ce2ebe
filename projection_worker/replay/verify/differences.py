"""Says in words what differs between a read model and its events, and since which event: one pass
for each child."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.decoding import UNREADABLE
from projection_worker.projecting.generations import rules_of
from projection_worker.projections.registry import ChildView, Place, apply
from projection_worker.projections.rules import Rules
from projection_worker.replay.documents import MASKED, SEARCH_TOKENS, StoredChildren, documents_of
from projection_worker.replay.histories import events_of, relevant_pages
from projection_worker.replay.verify.comparison import ABSENT, COMMITS, Difference, Verification
from projection_worker.session import Stores
from shared.clock import utc_now
from shared.event_store.envelope import RecordedEvent
from shared.events.child import ChildEvent
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from shared.serialization.events import decode_what_opens
from shared.serialization.schema import PERSONAL_FIELDS


async def changes_behind(
    on: Stores,
    generation: Generation,
    differences: Sequence[Difference],
    rules: Rules | None = None,
) -> list[RecordedEvent | None]:
    """For each of them the event by which the value should have come; None where there is none.
    `rules`: by which the events were folded, if not by those of the generation."""
    folded_by = rules or await rules_of(on.database, generation)
    traced: dict[str, list[Traced]] = defaultdict(list)
    found = [Traced(one) for one in differences]
    for one in found:
        if one.difference.child_id and one.difference.model in set(Model):
            traced[one.difference.child_id].append(one)
    stored = StoredChildren(on.read, on.database, generation)
    for child_id, of_child in traced.items():
        checkpoint = await stored.version(child_id)
        await _trace_version(on, child_id, checkpoint, of_child)
        await _trace_values(on, folded_by, child_id, checkpoint, of_child)
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
        kept = {p: d for p, d in documents if p in self._kept or p[0] is Model.SAFETY}
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


async def _trace_version(
    on: Stores, child_id: str, checkpoint: int, traced: Sequence[Traced]
) -> None:
    """The first event that the documents have not seen."""
    late = [one for one in traced if one.difference.field == "version"]
    if late:
        following = events_of(await on.store.load(child_id, checkpoint, 1))
        first = next((event for event in following if event.version > checkpoint), None)
        for one in late:
            one.since = first


async def _trace_values(
    on: Stores, rules: Rules, child_id: str, checkpoint: int, traced: Sequence[Traced]
) -> None:
    others = [one for one in traced if one.difference.field != "version"]
    if not others:
        return
    trace = Trace(others, rules)
    cipher = (await on.keyring.ciphers([child_id])).get(child_id)
    try:
        async for events in relevant_pages(on.store, child_id):
            for recorded in events:
                if recorded.version > checkpoint:
                    return
                event, _ = decode_what_opens(recorded, cipher, on.index)
                trace.take(recorded, event)
    except UNREADABLE:
        for one in others:
            one.since = None


SEALED_FIELDS = PERSONAL_FIELDS | SEARCH_TOKENS


async def in_words(
    on: Stores, generation: Generation, found: Verification, rules: Rules | None = None
) -> list[str]:
    """One line for each difference. Personal values stay sealed: of them only that they differ is
    said. `rules`: by which it was found, if not by those of the generation."""
    dead_letters = DeadLetters(on.database, utc_now, generation)
    reasons = await dead_letters.all_dead_lettered() if found.dead_lettered else {}
    since = await changes_behind(on, generation, found.differences, rules)
    return [
        in_a_line(one, event, reasons.get(one.child_id))
        for one, event in zip(found.differences, since, strict=True)
    ]


def in_a_line(
    one: Difference, since: RecordedEvent | None = None, dead_lettered: str | None = None
) -> str:
    """`since`: the event by which the value should have come; `dead-lettered`: why the child is."""
    place = f"{one.model}/{one.document} {one.field}"
    if one.model == COMMITS:
        where = f"version {one.found}" if isinstance(one.found, int) else one.found
        return f"{place}: {one.expected}: {where}"
    if one.model == Model.SYSTEM:
        said = f"{place}: sum over the children {one.expected}, counter {one.found}"
    elif SEALED_FIELDS.intersection(steps(one.field)):
        said = f"{place}: the encrypted value differs from the events"
    else:
        said = f"{place}: events say {_value(one.expected)}, read model has {_value(one.found)}"
    if since is not None:
        said += f" (since version {since.version}: {since.type})"
    return said if dead_lettered is None else f"{said}; dead-lettered: {dead_lettered}"


def _value(value: object) -> str:
    return ABSENT if value == ABSENT else repr(_masked(value))


def _masked(value: object) -> object:
    """Without the personal values in it."""
    if isinstance(value, dict):
        return {n: MASKED if n in SEALED_FIELDS else _masked(one) for n, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value
