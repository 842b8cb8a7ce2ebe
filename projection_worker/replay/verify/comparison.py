"""Compares one child's documents with what its events say, by digest, then field by field; and the
counters with the sum over all children."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, cast

import orjson

from projection_worker.projections.registry import Place, contribution
from shared.event_store.envelope import ChainBroken
from shared.mongo import Database, Mongo
from shared.read_models.documents import ChildDocument, Model
from shared.read_models.generations import Generation, RetentionCutoff

MOST_KEPT = 50
DIGESTS = 2**256
ABSENT = "(absent)"
COMMITS = "commits"
"""Stands for the model where the events themselves are wrong."""
UNFOLDED = "cannot be folded"
Documents = Mapping[Place, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a read model is not what the events say. Values are as stored (sealed).

    `child_id` is empty where it concerns no single child."""

    child_id: str
    model: str
    document: str
    field: str
    expected: object
    found: object


@dataclass(slots=True)
class Verification:
    """What was compared and what differed. `documents` counts by model.

    `digest` is the sum of the documents' digests, so their order does not matter. Only the first
    `MOST_KEPT` differences are kept; `found` counts them all. `behind` are children whose read
    models have not seen everything yet: what they have seen was compared. Those of them that are
    `dead-lettered` will not, before somebody redrives them. `unopened`: children of whom something
    sealed does not open, and why; all but what is made from it was compared."""

    children: int = 0
    events: int = 0
    documents: Counter[str] = field(default_factory=Counter)
    counters: int = 0
    digest: int = 0
    found: int = 0
    differences: list[Difference] = field(default_factory=list)
    behind: set[str] = field(default_factory=set)
    dead_lettered: set[str] = field(default_factory=set)
    unopened: dict[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return self.found == 0 and not self.unopened

    def note(self, difference: Difference) -> None:
        self.found += 1
        if len(self.differences) < MOST_KEPT:
            self.differences.append(difference)

    def add_document(self, place: Place, document: Any) -> None:
        """Of those that are stored."""
        self.digest = (self.digest + digest_of(place, document)) % DIGESTS

    def add(self, other: "Verification") -> None:
        self.children += other.children
        self.events += other.events
        self.documents.update(other.documents)
        self.counters += other.counters
        self.digest = (self.digest + other.digest) % DIGESTS
        self.found += other.found
        self.differences += other.differences[: MOST_KEPT - len(self.differences)]
        self.behind |= other.behind
        self.dead_lettered |= other.dead_lettered
        self.unopened |= other.unopened


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared: the models that are asked for, but for what nobody keeps any more."""

    models: frozenset[Model]
    cutoff: RetentionCutoff

    def takes(self, place: Place, document: Any) -> bool:
        return place[0] in self.models and self.cutoff.keeps(place[0], document)

    def of(self, documents: Documents) -> Documents:
        return {place: one for place, one in documents.items() if self.takes(place, one)}


def behind(child_id: str, last: int, version: int) -> Difference:
    """The store is at `last`, the documents at `version`."""
    return Difference(child_id, Model.CHILDREN, child_id, "version", last, version)


def unfolded(child_id: str, error: Exception) -> Difference:
    reason = f"{type(error).__name__}: {error}"
    return Difference(child_id, COMMITS, child_id, "(events)", UNFOLDED, reason)


def broken_chain(broken: ChainBroken) -> Difference:
    child_id = broken.child_id
    return Difference(child_id, COMMITS, child_id, "hash", broken.reason, broken.version)


def digest(documents: Documents) -> int:
    return sum(digest_of(place, one) for place, one in documents.items()) % DIGESTS


def digest_of(place: Place, document: Any) -> int:
    """SHA-256 of the canonical form: JSON of model, id and content with sorted keys. Without what
    no event says."""
    ignored = _ignored(place[0])
    content = {name: value for name, value in document.items() if name not in ignored}
    return int.from_bytes(hashlib.sha256(_canonical([*place, content])).digest())


def compare(child_id: str, expected: Documents, found: Documents) -> Iterator[Difference]:
    """Everything that differs; a document that only one side has is one difference."""
    for place in sorted({*expected, *found}):
        yield from compare_one(child_id, place, expected.get(place), found.get(place))


def compare_one(child_id: str, place: Place, expected: Any, found: Any) -> Iterator[Difference]:
    """Of one document; None on the side that lacks it."""
    model, document = place
    if expected is None or found is None:
        there = ["absent" if side is None else "present" for side in (expected, found)]
        yield Difference(child_id, model, document, "(document)", *there)
        return
    for path, left, right in _fields(expected, found, _ignored(model)):
        yield Difference(child_id, model, document, path, left, right)


def _ignored(model: Model) -> frozenset[str]:
    """When an alert was delivered happened outside, and so did a rebuild; no event says it."""
    return (
        frozenset({"delivered", "rebuilt", "awaits_live"}) if model is Model.ALERTS else frozenset()
    )


def _fields(
    expected: Any, found: Any, ignored: frozenset[str] = frozenset(), path: str = ""
) -> Iterator[tuple[str, object, object]]:
    """Paths like `violations[2].outcome` where two values differ. Of lists, only documents are
    compared one by one."""
    if _canonical(expected) == _canonical(found):  # as digests see it: 1 is not 1.0
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted({*expected, *found} - ignored):
            left, right = (side.get(name, ABSENT) for side in (expected, found))
            yield from _fields(left, right, path=f"{path}.{name}" if path else name)
    elif _are_documents(expected) and _are_documents(found):
        for place, (left, right) in enumerate(zip_longest(expected, found, fillvalue=ABSENT)):
            yield from _fields(left, right, path=f"{path}[{place}]")
    else:
        yield path, expected, found


def _canonical(value: Any) -> bytes:
    """A type that no read model holds is compared by its text, so that it is found, too."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=repr)


def _are_documents(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


async def compared_counters(
    mongo: Mongo, database: Database, generation: Generation
) -> dict[str, tuple[int, int]]:
    """By name, what the children sum up to and what the counters say, as of one moment."""
    summed: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    collections = generation.collections(database)
    async with mongo.session(snapshot=True) as session:
        async for child in collections[Model.CHILDREN].find({}, session=session):
            summed.update(contribution(cast(ChildDocument, child)))
        async for shard in collections[Model.SYSTEM].find({}, session=session):
            counted.update(shard["counters"])
    return {name: (summed[name], counted[name]) for name in sorted({*summed, *counted})}
