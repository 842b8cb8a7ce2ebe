"""All documents of a child: as its events say, folded in memory, and as they are stored, all of one
moment; and the personal values in them, which stay sealed unless an operator asks for more."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any, is_typeddict

from projection_worker.projecting.decoding import UNREADABLE
from projection_worker.projecting.removal import documents_beside
from projection_worker.projections.registry import ChildView, Folding, Place
from projection_worker.projections.rules import DEFAULT_RULES, Rules
from shared.event_store.envelope import RecordedEvent
from shared.events.child import ERASED
from shared.events.personal import IS_FROM_OPENED, IS_SEARCH_TOKENS, fields_marked
from shared.keyring.keyring import ChildCipher, SealBroken
from shared.keyring.search_index import SearchIndex
from shared.mongo import Database, Document, Mongo, Session, aggregate
from shared.read_models import documents
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from shared.read_models.indexes import stale_since
from shared.serialization.events import decode_what_opens
from shared.serialization.schema import PERSONAL_FIELDS, SealedField, open_sealed


def _fields_of_documents(mark: str) -> frozenset[str]:
    """At any depth."""
    types = [one for one in vars(documents).values() if is_typeddict(one)]
    return frozenset(name for document in types for name in fields_marked(document, mark))


FROM_OPENED = _fields_of_documents(IS_FROM_OPENED)
"""Made from values which were opened: where one does not open, they cannot be compared."""

SEARCH_TOKENS = _fields_of_documents(IS_SEARCH_TOKENS)


@dataclass(frozen=True, slots=True)
class Folded:
    """`unopened`: why the first value that does not open does not; personal ones stay sealed in the
    view, and what is made of others is not to be compared (`FROM_OPENED`)."""

    view: ChildView
    unopened: SealBroken | None


class ChildFold:
    """One child folded from its first event on, while its events come some at a time, in order.

    `ends`: the version by which the child was erased, 0 for one that is not. Of an erased child
    nothing but the erasure has to be readable."""

    def __init__(
        self, cipher: ChildCipher | None, index: SearchIndex, rules: Rules, ends: int = 0
    ) -> None:
        self._cipher = cipher
        self._index = index
        self._ends = ends
        self._folding = Folding(ChildView(), rules)
        self._unopened: SealBroken | None = None

    def folded(self) -> Folded:
        """What the events so far come to."""
        return Folded(self._folding.view(), self._unopened)

    def add(self, events: Iterable[RecordedEvent]) -> None:
        """Raises what decoding one may raise (UNREADABLE); those before it are in."""
        for recorded in events:
            if 1 < recorded.version < self._ends:
                continue
            try:
                event, broken = decode_what_opens(recorded, self._cipher, self._index)
            except UNREADABLE:
                if recorded.version < self._ends:
                    continue
                raise
            self._folding.add(event, recorded.version, recorded.event_id)
            if recorded.version >= self._ends:
                self._unopened = self._unopened or broken


def fold(
    events: Iterable[RecordedEvent],
    cipher: ChildCipher | None,
    index: SearchIndex,
    rules: Rules = DEFAULT_RULES,
) -> Folded:
    """The view after `events`, which begin at version 1. Raises as `ChildFold.add` does."""
    known = list(events)
    ends = max((one.version for one in known if one.type == ERASED), default=0)
    whole = ChildFold(cipher, index, rules, ends)
    whole.add(known)
    return whole.folded()


def documents_of(view: ChildView) -> Mapping[Place, Any]:
    """Every document of the child, by its place."""
    documents = dict(view.documents)
    if view.child is not None:
        documents[Model.CHILDREN, view.child["_id"]] = view.child
    for alert in view.alerts:
        documents[Model.ALERTS, alert["_id"]] = alert
    return documents


def without_opened(documents: Mapping[Place, Any]) -> Mapping[Place, Any]:
    """Without all that is made from open values."""
    return {place: _left(one) for place, one in documents.items()}


def _left(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _left(one) for name, one in value.items() if name not in FROM_OPENED}
    return [_left(one) for one in value] if isinstance(value, list) else value


class StoredChildren:
    """Of one generation."""

    def __init__(self, mongo: Mongo, database: Database, generation: Generation) -> None:
        self._mongo = mongo
        self._database = database
        self._generation = generation
        self._collections = generation.collections(database)

    async def dead_lettered(self, child_ids: Sequence[str]) -> set[str]:
        """Those of these children of whom a record is dead-lettered."""
        return set(await stale_since(self._database, self._generation, child_ids))

    async def of(self, child_ids: Sequence[str]) -> dict[str, dict[Place, Any]]:
        """Every document of these children, by child and place; children without any are left
        out."""
        found: dict[str, dict[Place, Any]] = {}
        async with self._mongo.session(snapshot=True) as session:
            for model, condition in _documents_of(*child_ids).items():
                cursor = self._collections[model].find(condition, session=session)
                for document in await cursor.to_list(None):
                    owner: str = document.get("child_id") or document["_id"]
                    found.setdefault(owner, {})[model, document["_id"]] = document
        return found

    @asynccontextmanager
    async def one_by_one(
        self, child_id: str
    ) -> AsyncIterator[tuple[int, AsyncIterator[tuple[Place, Any]]]]:
        """The version that one child's documents have reached (0: it has none), and each of them;
        all of one moment, and not in memory at once."""
        async with self._mongo.session(snapshot=True) as session:
            children = self._collections[Model.CHILDREN]
            child = await children.find_one({"_id": child_id}, {"version": 1}, session=session)
            version = 0 if child is None else int(child["version"])
            yield version, self._each(child_id, session)

    async def version(self, child_id: str) -> int:
        """The one that the child's documents have reached; 0: it has none."""
        found = await self._collections[Model.CHILDREN].find_one({"_id": child_id}, {"version": 1})
        return 0 if found is None else int(found["version"])

    async def events(self) -> int:
        """How many events all documents have seen."""
        summed: Document = {"$group": {"_id": None, "events": {"$sum": "$version"}}}
        async for group in aggregate(self._collections[Model.CHILDREN], [summed]):
            return int(group["events"])
        return 0

    async def owners(self, model: Model) -> AsyncIterator[str]:
        """The ids of all children that `model` has a document of."""
        collection = self._collections[model]
        if model in (Model.CHILDREN, Model.SAFETY):
            async for document in collection.find({}, {"_id": 1}):
                yield document["_id"]
            return
        async for group in aggregate(collection, [{"$group": {"_id": "$child_id"}}]):
            yield group["_id"]

    async def _each(self, child_id: str, session: Session) -> AsyncIterator[tuple[Place, Any]]:
        for model, condition in _documents_of(child_id).items():
            async for document in self._collections[model].find(condition, session=session):
                yield (model, document["_id"]), document


def _documents_of(*child_ids: str) -> dict[Model, Document]:
    """How all documents of these children are found in each model."""
    return {Model.CHILDREN: {"_id": {"$in": list(child_ids)}}, **documents_beside(*child_ids)}


MASKED = "(sealed)"
DESTROYED = "(key destroyed)"
CLOSED = "(does not open)"

_SEALED_TEXT = re.compile(r"^\d+\.[a-z_]+\.[A-Za-z0-9+/_=-]{16,}$")
"""`version.field.ciphertext`, as read models hold it."""


@dataclass(frozen=True, slots=True, repr=False)
class Personals:
    """Of one child. `reveal`: open values, where the key still exists."""

    child_id: str
    cipher: ChildCipher | None
    _: KW_ONLY
    reveal: bool

    def shown(self, value: Any, name: str = "", of: str | None = None) -> Any:
        """`value`, which stands as `name` in what is said `of`, with every sealed text in it opened
        or replaced by a word."""
        if isinstance(value, dict):
            return {name: self.shown(one, name, value.get("id")) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.shown(one, name, of) for one in value]
        if name in PERSONAL_FIELDS and isinstance(value, str) and _SEALED_TEXT.match(value):
            return self.opened(value, SealedField(name, of))
        return value

    def opened(self, sealed: str, expected: SealedField) -> Any:
        if self.cipher is None:
            return DESTROYED
        if not self.reveal:
            return MASKED
        try:
            return open_sealed(self.child_id, sealed, self.cipher, expected)
        except SealBroken:
            return CLOSED
