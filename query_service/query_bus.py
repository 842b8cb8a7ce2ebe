"""Queries to their handlers, through the cache."""

import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, Field

from query_service.cache.query_cache import Loaded, QueryCache
from query_service.cache.tags import Tag, child_tag
from query_service.metrics import QueryMetrics
from query_service.scope import Scope
from shared.auth.access import ACCESS, Relation, Rule, rule_of
from shared.auth.principal import Principal, Role


@dataclass(frozen=True, slots=True)
class Query:
    """A question. Subclasses are frozen dataclasses of plain, hashable values."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler found. `children`: whose data it holds, for the audit trail and for the cache;
    no default, so that no handler can forget them. `version` is the child's, where the answer is
    about one child; `mentions` are tags that only the answer reveals: it is dropped when they
    change, too. `ttl`: seconds that it is kept at most, where it grows old sooner than others of
    its handler."""

    content: BaseModel
    children: tuple[str, ...]
    version: int | None = None
    mentions: frozenset[Tag] = frozenset()
    ttl: float = math.inf


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer as it is sent and kept: its JSON and a strong validator of it. `children`: whose
    data it holds. `as_of`: all that was stored until then is in it; None while nobody knows.
    `read_at`: when it was begun to be read, by the cache's clock."""

    body: bytes
    etag: str
    version: int | None
    children: tuple[str, ...] = ()
    as_of: datetime | None = None
    read_at: float = 0.0


class Detail(StrEnum):
    """As `Cache-Status` says it. `CHANGE_FEED_DOWN`: no change drops an answer, so it lives for
    seconds only. `READ_STORE_DOWN`: it was kept from before the read store went away."""

    CHANGE_FEED_DOWN = "change-feed-down"
    READ_STORE_DOWN = "read-store-down"


@dataclass(frozen=True, slots=True)
class QueryResult:
    """`age`: seconds since it was read. `detail`: why it may be older than a change, if it may."""

    rendered: Rendered
    cached: bool
    age: float = 0.0
    detail: Detail | None = None


AsOf = Callable[[], Awaitable[datetime | None]]
"""Up to when everything that was stored is projected."""


IsStale = Callable[[Sequence[str], Scope], Awaitable[bool]]
"""Whether a kept answer with data of these children comes from before an outage of the read store;
raises StoreUnavailable when it is not to be shown."""


async def _unknown() -> datetime | None:
    return None


async def _never(_children: Sequence[str], _scope: Scope) -> bool:
    return False


Q_contra = TypeVar("Q_contra", bound=Query, contravariant=True)
Q = TypeVar("Q", bound=Query)


class QueryHandler(Protocol[Q_contra]):
    """Answers one kind of query, to the roles that shared/auth/access.py names."""

    async def handle(self, query: Q_contra, scope: Scope, /) -> Answer:
        """Raises the errors of query_service.queries.errors."""


class CachedQueryHandler(QueryHandler[Q_contra], Protocol[Q_contra]):
    """One whose answers are kept for `ttl` seconds."""

    @property
    def ttl(self) -> float: ...

    def cache_key(self, query: Q_contra, /) -> Hashable:
        """What tells this answer from others of the same query; the bus adds who is asking."""

    def tags(self, query: Q_contra, /) -> frozenset[Tag]:
        """The children and parents whose changes make the answer stale."""


@dataclass(frozen=True, slots=True)
class HandlerDescription:
    query: Annotated[str, Field(description="Its name.")]
    handler: Annotated[str, Field(description="The class that answers it.")]
    cache_seconds: Annotated[
        float | None, Field(description="How long an answer is kept at most; null: not at all.")
    ]
    audience: Annotated[list[str], Field(description="Roles that may ask it.")]


@dataclass(frozen=True, slots=True)
class _Registered:
    handler: QueryHandler[Any]
    cached: CachedQueryHandler[Any] | None


class UnknownQuery(Exception):
    """No handler is registered for the query."""


class QueryBus:
    def __init__(
        self,
        cache: QueryCache[Rendered],
        metrics: QueryMetrics,
        access: Mapping[str, Rule] = ACCESS,
        as_of: AsOf = _unknown,
        is_stale: IsStale = _never,
    ) -> None:
        self._as_of = as_of
        self._is_stale = is_stale
        self._cache = cache
        self._metrics = metrics
        self._access = access
        self._registered: dict[type[Query], _Registered] = {}

    def register(self, query_type: type[Q], handler: QueryHandler[Q]) -> None:
        """Answer `query_type` anew each time. Raises ValueError when it has a handler already,
        UnlistedOperation when nobody said who may ask."""
        self._add(query_type, _Registered(handler, None))

    def register_cached(self, query_type: type[Q], handler: CachedQueryHandler[Q]) -> None:
        """Answer `query_type` through the cache. Raises ValueError as `register` does."""
        self._add(query_type, _Registered(handler, handler))

    async def ask(
        self, query: Query, principal: Principal, read_after: float | None = None
    ) -> QueryResult:
        """The answer for who asks; with `read_after` (a moment of the cache's clock) none that was
        read before. Raises UnknownQuery, Forbidden, and what the handler raises."""
        name = type(query).__name__
        registered = self._registered.get(type(query))
        if registered is None:
            raise UnknownQuery(f"{name} has no handler; register one on the bus")
        scope = Scope.of(principal, name, self._access)
        started = time.perf_counter()
        outcome = "failed"
        try:
            result = await self._answer(registered, query, scope, read_after)
            outcome = "hit" if result.cached else "miss"
            return result
        finally:
            self._metrics.asked(name, outcome, time.perf_counter() - started)

    @property
    def handlers(self) -> list[HandlerDescription]:
        return [
            HandlerDescription(
                query=query_type.__name__,
                handler=type(registered.handler).__name__,
                cache_seconds=registered.cached.ttl if registered.cached else None,
                audience=self._audience(query_type),
            )
            for query_type, registered in self._registered.items()
        ]

    def _audience(self, query_type: type[Query]) -> list[str]:
        rule = rule_of(query_type.__name__, self._access)
        return sorted(role.value for role in Role if rule.of(role) is not Relation.NONE)

    def health(self) -> dict[str, Any]:
        return {"status": "up" if self._registered else "down", "handlers": len(self._registered)}

    def _add(self, query_type: type[Query], registered: _Registered) -> None:
        if query_type in self._registered:
            raise ValueError(f"{query_type.__name__} already has a handler")
        rule_of(query_type.__name__, self._access)
        self._registered[query_type] = registered

    async def _answer(
        self, registered: _Registered, query: Query, scope: Scope, read_after: float | None
    ) -> QueryResult:
        async def load() -> Loaded[Rendered]:
            read_at = self._cache.now()
            as_of = await self._as_of()  # before the answer is read: it shows all of that at least
            answer = await registered.handler.handle(query, scope)
            rendered = replace(_render(answer), as_of=as_of, read_at=read_at)
            shown = frozenset(map(child_tag, rendered.children))
            tags = answer.mentions | shown
            return Loaded(rendered, tags, answer.version, len(rendered.body), answer.ttl)

        cached = registered.cached
        if cached is None:
            return QueryResult((await load()).value, cached=False, detail=self._feed_detail())
        # who is asking is part of every key, added here so that no handler can forget it
        key = (scope, type(query), cached.cache_key(query))
        tags = cached.tags(query)
        rendered, hit = await self._cache.get_or_load(key, cached.ttl, tags, load, read_after)
        detail = self._feed_detail()
        if hit and await self._is_stale(rendered.children, scope):
            detail = Detail.READ_STORE_DOWN
        age = max(0.0, self._cache.now() - rendered.read_at)
        return QueryResult(rendered, hit, age, detail)

    def _feed_detail(self) -> Detail | None:
        return None if self._cache.keeping else Detail.CHANGE_FEED_DOWN


def _render(answer: Answer) -> Rendered:
    body = answer.content.model_dump_json(by_alias=True).encode()
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    return Rendered(body, f'"{digest}"', answer.version, answer.children)
