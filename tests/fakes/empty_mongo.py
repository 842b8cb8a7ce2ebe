"""A MongoDB with no documents but those that it is given: it takes every write and keeps none."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from shared.mongo import Document


class EmptyMongo:
    """Client and database at once. `documents`: by collection, the only one in it. `writes`: how
    many operations were asked for, by collection."""

    def __init__(self, documents: Mapping[str, Document]) -> None:
        self._documents = documents
        self.writes: dict[str, int] = {}

    def __getitem__(self, name: str) -> "_Collection":
        return _Collection(name, self._documents.get(name), self.writes)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield


class _Collection:
    def __init__(self, name: str, document: Document | None, writes: dict[str, int]) -> None:
        self._name = name
        self._document = document
        self._writes = writes

    async def find_one(self, *_: object, **__: object) -> Document | None:
        return self._document

    def find(self, *_: object, **__: object) -> "_Collection":
        return self

    async def to_list(self, _length: int | None) -> list[Document]:
        return [] if self._document is None else [self._document]

    async def bulk_write(self, operations: Sequence[Any], **_: object) -> SimpleNamespace:
        self._writes[self._name] = self._writes.get(self._name, 0) + len(operations)
        return SimpleNamespace(matched_count=0)
