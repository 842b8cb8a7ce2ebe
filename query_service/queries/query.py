"""A query, and what answers it."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from pydantic import BaseModel

from query_service.cache.entries import Tag
from query_service.queries.visible_children import Scope


@dataclass(frozen=True, slots=True)
class Query:
    """A question. Subclasses are frozen dataclasses of plain, hashable values."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler found. `children`: whose data it holds, for the audit trail and for the cache;
    no default, so that no handler can forget them. `version` is the child's, where the answer is
    about one child; `mentions` are tags that only the answer reveals: it is dropped when they
    change, too. `ttl`: seconds that it is kept at most, where it grows old sooner than others of
    its handler. `from_snapshot`: it was not read just now, but shows all that was stored until
    `as_of`; None: nobody knows."""

    content: BaseModel
    children: tuple[str, ...]
    version: int | None = None
    mentions: frozenset[Tag] = frozenset()
    ttl: float = math.inf
    from_snapshot: bool = False
    as_of: datetime | None = None


Q_contra = TypeVar("Q_contra", bound=Query, contravariant=True)


class QueryHandler(Protocol[Q_contra]):
    """Answers one kind of query, to the roles that shared/auth/access.py names."""

    async def handle(self, query: Q_contra, scope: Scope, /) -> Answer:
        """Raises RequestRefused, and what is raised of what the caller may not see."""


class CachedQueryHandler(QueryHandler[Q_contra], Protocol[Q_contra]):
    """One whose answers are kept for `ttl` seconds."""

    @property
    def ttl(self) -> float: ...

    def cache_key(self, query: Q_contra, /) -> Hashable:
        """What distinguishes this answer from others of the same query; the bus adds who asks."""

    def tags(self, query: Q_contra, /) -> frozenset[Tag]:
        """The children and parents whose changes make the answer stale."""


class RequestRefused(Exception):
    """A parameter breaks a rule that its type cannot express. Never carries its value."""

    def __init__(self, field: str, message: str, limit: str | None = None) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.limit = limit
