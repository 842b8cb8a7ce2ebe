"""Compares one child's documents with what its events say: by digest, then field by field. Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from projection_worker.projections.registry import Place
from shared.read_models.models import Model

MOST_KEPT = 50
DIGESTS = 2**256
Documents = Mapping[Place, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a read model is not what the events say. Values are as stored (sealed).

    `child_id` is empty where it concerns no single child.
    """

    child_id: str
    model: str
    document: str
    field: str
    expected: object
    found: object


@dataclass(slots=True)
class Verification:
    """What was compared and what differed. `documents` counts by model.

    `digest` is the sum of the children's digests, so the order of children does not matter.
    Only the first `MOST_KEPT` differences are kept; `found` counts them all. `behind` are children
    whose read models have not seen everything yet: what they have seen was compared.
    """

    children: int = 0
    events: int = 0
    documents: Counter[str] = field(default_factory=Counter)
    counters: int = 0
    digest: int = 0
    found: int = 0
    differences: list[Difference] = field(default_factory=list)
    behind: set[str] = field(default_factory=set)

    @property
    def clean(self) -> bool:
        return self.found == 0

    def note(self, difference: Difference) -> None:
        self.found += 1
        if len(self.differences) < MOST_KEPT:
            self.differences.append(difference)

    def add(self, other: "Verification") -> None:
        self.children += other.children
        self.events += other.events
        self.documents.update(other.documents)
        self.counters += other.counters
        self.digest = (self.digest + other.digest) % DIGESTS
        self.found += other.found
        self.differences += other.differences[: MOST_KEPT - len(self.differences)]
        self.behind |= other.behind


def digest(documents: Documents) -> int:
    """SHA-256 of the canonical form: JSON with sorted keys, document by document in order of model
    and id. Without what no event tells."""
    hashed = hashlib.sha256()
    for place in sorted(documents):
        told = {n: v for n, v in documents[place].items() if n not in _ignored(place[0])}
        hashed.update(orjson.dumps([*place, told], option=orjson.OPT_SORT_KEYS))
    return int.from_bytes(hashed.digest())


def compare(child_id: str, expected: Documents, found: Documents) -> Iterator[Difference]:
    """Everything that differs; a document that only one side has is one difference."""
    for place in sorted({*expected, *found}):
        model, document = place
        if place not in expected or place not in found:
            there = ["present" if place in side else "absent" for side in (expected, found)]
            yield Difference(child_id, model, document, "(document)", *there)
            continue
        for path, left, right in _fields(expected[place], found[place], _ignored(model)):
            yield Difference(child_id, model, document, path, left, right)


def _ignored(model: Model) -> frozenset[str]:
    """When an alert was delivered happened outside; no event tells it."""
    return frozenset({"delivered"}) if model is Model.ALERTS else frozenset()


def _fields(
    expected: Any, found: Any, ignored: frozenset[str] = frozenset(), path: str = ""
) -> Iterator[tuple[str, object, object]]:
    """Paths like `violations[2].outcome` where two values differ."""
    if expected == found:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted({*expected, *found} - ignored):
            left, right = (side.get(name, "(absent)") for side in (expected, found))
            yield from _fields(left, right, path=f"{path}.{name}" if path else name)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (left, right) in enumerate(zip(expected, found, strict=True)):
            yield from _fields(left, right, path=f"{path}[{place}]")
    else:
        yield path, expected, found
