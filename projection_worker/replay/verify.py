"""Compares every read model, field by field, with a fold of the event store.

Also checks each child's hash chain and its versions 1..n, that no document exists which no event
explains, and that the system counters are exactly the sum over all children.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from projection_worker.projections.registry import ChildView, apply
from projection_worker.projections.system import contribution
from shared.codec import decode
from shared.envelope import Commit
from shared.event_store.port import EventStore
from shared.hash_chain import ChainBroken, verify_chain
from shared.keyring.keyring import Keyring
from shared.keyring.search_index import SearchIndex
from shared.mongo import Collection, Database
from shared.read_models.generations import Generation
from shared.read_models.models import Model

MOST_SHOWN = 50
CHILDREN_A_ROUND = 500
OWNED = (Model.CONVERSATIONS, Model.SAFETY, Model.ACTIVITY, Model.ALERTS)


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a read model is not what the events say. Values are as stored (sealed)."""

    model: str
    document: str
    field: str
    expected: object
    found: object


@dataclass(slots=True)
class Verification:
    """What was compared and what differed. `documents` counts by model; `differing` are the
    children of whom anything differs, also where `differences` no longer has room for it."""

    children: int = 0
    events: int = 0
    documents: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    differing: set[str] = field(default_factory=set)
    found: int = 0
    counters: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        return not self.differences


class Verifier:
    def __init__(
        self,
        store: EventStore,
        database: Database,
        generation: Generation,
        keyring: Keyring,
        index: SearchIndex,
        models: frozenset[Model] = frozenset(Model),
    ) -> None:
        self._models = models
        self._store = store
        self._collections: Mapping[Model, Collection] = generation.collections(database)
        self._keyring = keyring
        self._index = index

    async def verify(self) -> Verification:
        result = Verification()
        round_: list[list[Commit]] = []
        async for stream in _streams(self._store):
            round_.append(stream)
            if len(round_) == CHILDREN_A_ROUND:
                await self._compare(round_, result)
                round_ = []
        if round_:
            await self._compare(round_, result)
        await self._compare_totals(result)
        return result

    async def verify_children(self, streams: list[list[Commit]]) -> Verification:
        """Compare only these children, without totals."""
        result = Verification()
        await self._compare(streams, result)
        return result

    async def _compare(self, streams: list[list[Commit]], result: Verification) -> None:
        child_ids = [stream[0].child_id for stream in streams]
        ciphers = await self._keyring.ciphers(child_ids)
        stored = await self._stored(child_ids)
        for stream in streams:
            child_id = stream[0].child_id
            result.children += 1
            found_before = result.found
            try:
                verify_chain(stream)
            except ChainBroken as broken:
                _note(result, "commits", child_id, "hash", broken.reason, broken.version)
            view = ChildView()
            for recorded in (event for commit in stream for event in commit.recorded_events()):
                event = decode(recorded, ciphers.get(child_id), self._index)
                view = apply(view, event, recorded.version, recorded.event_id)
                result.events += 1
            result.counters.update(contribution(view.child))
            expected, there = (
                {place: one for place, one in side.items() if place[0] in self._models}
                for side in (_expected(view), stored.get(child_id, {}))
            )
            _compare_child(expected, there, result)
            if result.found > found_before:
                result.differing.add(child_id)

    async def _stored(self, child_ids: list[str]) -> dict[str, dict[tuple[Model, str], Any]]:
        """Every document of these children, by child and place."""
        stored: dict[str, dict[tuple[Model, str], Any]] = {}
        for model in (Model.CHILDREN, *OWNED):
            owner = "_id" if model in (Model.CHILDREN, Model.SAFETY) else "child_id"
            async for document in self._collections[model].find({owner: {"$in": child_ids}}):
                place = (model, str(document["_id"]))
                stored.setdefault(document[owner], {})[place] = document
        return stored

    async def _compare_totals(self, result: Verification) -> None:
        for model in (Model.CHILDREN, *OWNED):
            existing = await self._collections[model].count_documents({})
            if existing != result.documents[model]:
                expected = result.documents[model]
                _note(result, model, "(all)", "number of documents", expected, existing)
        summed: Counter[str] = Counter()
        async for shard in self._collections[Model.SYSTEM].find({}):
            summed.update(shard["counters"])
        for name in sorted({*summed, *result.counters}):
            if summed[name] != result.counters[name]:
                _note(result, Model.SYSTEM, "(sum)", name, result.counters[name], summed[name])


def _expected(view: ChildView) -> dict[tuple[Model, str], Any]:
    expected = dict(view.documents)
    if view.child is not None:
        expected[Model.CHILDREN, view.child["_id"]] = view.child
    for alert in view.alerts:
        expected[Model.ALERTS, alert["_id"]] = alert
    return expected


def _compare_child(
    expected: Mapping[tuple[Model, str], Any],
    found: Mapping[tuple[Model, str], Any],
    result: Verification,
) -> None:
    result.documents.update(Counter(model for model, _ in expected))
    for place in sorted({*expected, *found}):
        model, document_id = place
        if place not in expected or place not in found:
            presence = ("present" if place in side else "absent" for side in (expected, found))
            _note(result, model, document_id, "(document)", *presence)
            continue
        for name, left, right in _fields_that_differ(model, expected[place], found[place]):
            _note(result, model, document_id, name, left, right)


def _fields_that_differ(
    model: Model, expected: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[tuple[str, object, object]]:
    for name in sorted({*expected, *found}):
        if model is Model.ALERTS and name == "delivered":
            continue  # what was delivered happened outside; no event tells it
        left, right = expected.get(name, "(absent)"), found.get(name, "(absent)")
        if left != right:
            yield name, left, right


def _note(
    result: Verification, model: str, document: str, name: str, expected: object, found: object
) -> None:
    result.found += 1
    if len(result.differences) < MOST_SHOWN:
        result.differences.append(Difference(model, document, name, expected, found))


async def _streams(store: EventStore) -> AsyncIterator[list[Commit]]:
    """The store's commits, a child at a time."""
    stream: list[Commit] = []
    async for commit in store.scan():
        if stream and stream[0].child_id != commit.child_id:
            yield stream
            stream = []
        stream.append(commit)
    if stream:
        yield stream
