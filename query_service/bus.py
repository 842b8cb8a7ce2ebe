"""Queries to their handlers: access, the cache, and what is shown while the read store is away."""

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import Field

from query_service.cache.entries import child_tag
from query_service.cache.query_cache import QueryCache
from query_service.cache.second_tier import Loaded
from query_service.metrics import QueryMetrics
from query_service.queries.query import Answer, CachedQueryHandler, Query, QueryHandler
from query_service.queries.visible_children import Scope
from query_service.read_store.port import ReadStoreUnavailable
from shared.audit.record import children_of
from shared.auth.access import ACCESS, Principal, Relation, Role, Rule, rule_of
from shared.keyring.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer as it is sent and kept: its JSON and a strong validator of it. `children`: whose
    data it holds; `on_record`: the same, as the audit trail names them. `as_of`: all that was
    stored until then is in it; None while nobody knows. `read_at`: when it was begun to be read, by
    the cache's clock."""

    body: bytes
    etag: str
    version: int | None
    children: tuple[str, ...] = ()
    as_of: datetime | None = None
    read_at: float = 0.0
    on_record: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "on_record", children_of(self.children))


class Detail(StrEnum):
    """As `Cache-Status` says it. `CHANGE_FEED_DOWN`: no change drops an answer, so it lives for
    seconds only. `READ_STORE_DOWN`: it was kept from before the read store went away."""

    CHANGE_FEED_DOWN = "change-feed-down"
    READ_STORE_DOWN = "read-store-down"


class QueryResult(NamedTuple):
    """`age`: seconds since it was read. `detail`: why it may be older than a change, if it may."""

    rendered: Rendered
    cached: bool
    age: float = 0.0
    detail: Detail | None = None


UNREADABLE_SECONDS = 5.0

Q = TypeVar("Q", bound=Query)

AsOf = Callable[[], Awaitable[datetime | None]]
"""Up to when everything that was stored is projected; None: nobody knows."""


async def _unknown() -> datetime | None:
    return None


@dataclass(frozen=True, slots=True)
class ReadStoreOutage:
    """What of the cache may be shown while the read store is away. Until it went away every change
    dropped the answers that it made wrong. Since then no change is projected and none is received,
    so what is kept may be wrong by as much as the outage is long:
    docs/decisions/023-what-is-shown-while-the-read-store-is-away.md.

    `away_seconds`: how long the read store has been away, None while it answers."""

    away_seconds: Callable[[], float | None]
    cache: QueryCache[Any]
    keyring: Keyring
    longest_seconds: float

    def is_bearable(self) -> bool:
        """Whether kept answers may be shown, if the read store is away."""
        return self.cache.keeping and (self.away_seconds() or 0.0) <= self.longest_seconds

    async def is_stale(self, children: Sequence[str], scope: Scope) -> bool:
        """Whether an answer from the cache, with data of these children, comes from before an
        outage that lasts. Raises ReadStoreUnavailable when it is not to be shown any more, or
        KeyStoreUnavailable when nobody knows."""
        if self.away_seconds() is None:
            return False
        if not self.is_bearable():
            raise ReadStoreUnavailable("unavailable for too long, or without the change feed")
        if scope.relation is Relation.OWN_BEAR:
            raise ReadStoreUnavailable("the owner of the bear may have changed")
        await self._require_keys(children)
        return True

    async def _require_keys(self, children: Sequence[str]) -> None:
        """The notice of an erasure may not arrive, but an erased child's key is gone at once."""
        if not children:
            return
        erased = set(children) - await self.keyring.still_there(children)
        if erased:
            self.cache.invalidate([child_tag(child_id) for child_id in erased])
            raise ReadStoreUnavailable("the answer shows an erased child")


@dataclass(frozen=True, slots=True)
class HandlerDescription:
    query: Annotated[str, Field(description="Its name.")]
    handler: Annotated[str, Field(description="The class that answers it.")]
    cache_seconds: Annotated[
        float | None, Field(description="Maximum time an answer is cached; null: not cached.")
    ]
    audience: Annotated[list[str], Field(description="Roles that may execute it.")]


class UnknownQuery(Exception):
    """No handler is registered for the query."""


@dataclass(slots=True, eq=False)
class QueryBus:
    cache: QueryCache[Rendered]
    metrics: QueryMetrics
    access: Mapping[str, Rule] = field(default_factory=lambda: ACCESS)
    as_of: AsOf = _unknown
    outage: ReadStoreOutage | None = None
    _handlers: dict[type[Query], QueryHandler[Any]] = field(default_factory=dict, init=False)
    _cached: dict[type[Query], CachedQueryHandler[Any]] = field(default_factory=dict, init=False)
    _apart: set[type[Query]] = field(default_factory=set, init=False)

    def register(self, query_type: type[Q], handler: QueryHandler[Q]) -> None:
        """Answer `query_type` anew each time. Raises ValueError when it has a handler already,
        UnlistedOperation when nobody said who may ask."""
        if query_type in self._handlers:
            raise ValueError(f"{query_type.__name__} already has a handler")
        rule_of(query_type.__name__, self.access)
        self._handlers[query_type] = handler

    def register_apart(self, query_type: type[Q], handler: QueryHandler[Q]) -> None:
        """As `register`, of what is not in the read models: how far those are is not asked for, so
        that it is answered while they are away. Raises ValueError as `register` does."""
        self.register(query_type, handler)
        self._apart.add(query_type)

    def register_cached(self, query_type: type[Q], handler: CachedQueryHandler[Q]) -> None:
        """Answer `query_type` through the cache. Raises ValueError as `register` does."""
        self.register(query_type, handler)
        self._cached[query_type] = handler

    async def ask(
        self, query: Query, principal: Principal, read_after: float | None = None
    ) -> QueryResult:
        """The answer for who asks; with `read_after` (a moment of the cache's clock) none that was
        read before. Raises UnknownQuery, Forbidden, and what the handler raises."""
        name = type(query).__name__
        if type(query) not in self._handlers:
            raise UnknownQuery(f"{name} has no handler; register one on the bus")
        scope = Scope.of(principal, name, self.access)
        started = time.perf_counter()
        outcome = "failed"
        try:
            result = await self._answer(query, scope, read_after)
            outcome = "hit" if result.cached else "miss"
            return result
        finally:
            self.metrics.queries(name, outcome).inc()
            self.metrics.seconds(name).observe(time.perf_counter() - started)

    @property
    def handlers(self) -> list[HandlerDescription]:
        return [
            HandlerDescription(
                query=query_type.__name__,
                handler=type(handler).__name__,
                cache_seconds=cached.ttl if (cached := self._cached.get(query_type)) else None,
                audience=self._audience(query_type),
            )
            for query_type, handler in self._handlers.items()
        ]

    def _audience(self, query_type: type[Query]) -> list[str]:
        rule = rule_of(query_type.__name__, self.access)
        return sorted(role.value for role in Role if rule.of(role) is not Relation.NONE)

    def health(self) -> dict[str, Any]:
        return {"status": "up" if self._handlers else "down", "handlers": len(self._handlers)}

    async def _answer(self, query: Query, scope: Scope, read_after: float | None) -> QueryResult:
        cached = self._cached.get(type(query))
        if cached is None:
            loaded = await self._load(query, scope)
            return QueryResult(loaded.value, cached=False, detail=self._feed_detail())
        # who is asking is part of every key, added here so that no handler can forget it
        key = (scope, type(query), cached.cache_key(query))
        rendered, hit = self.cache.find(key, read_after), True
        if rendered is None:
            tags, load = cached.tags(query), partial(self._load, query, scope)
            rendered, hit = await self.cache.get_or_load(key, cached.ttl, tags, load, read_after)
        detail = self._feed_detail()
        if hit and self.outage and await self.outage.is_stale(rendered.children, scope):
            detail = Detail.READ_STORE_DOWN
        age = max(0.0, self.cache.now() - rendered.read_at)
        return QueryResult(rendered, hit, age, detail)

    async def _load(self, query: Query, scope: Scope) -> Loaded[Rendered]:
        read_at = self.cache.now()
        # before the answer is read: it shows all of that at least
        as_of = None if type(query) in self._apart else await self.as_of()
        answer = await self._handlers[type(query)].handle(query, scope)
        as_of = answer.as_of if answer.from_snapshot else as_of
        rendered = replace(_render(answer), as_of=as_of, read_at=read_at)
        shown = frozenset(map(child_tag, rendered.children))
        tags = answer.mentions | shown
        return Loaded(rendered, tags, answer.version, len(rendered.body), life_of(answer))

    def _feed_detail(self) -> Detail | None:
        return None if self.cache.keeping else Detail.CHANGE_FEED_DOWN


def life_of(answer: Answer) -> float:
    """Seconds that it may be kept: not long while it lacks what cannot be decrypted, since the key
    may be in a file that is on its way here."""
    lacks = getattr(answer.content, "unreadable", None)
    return min(answer.ttl, UNREADABLE_SECONDS) if lacks else answer.ttl


def _render(answer: Answer) -> Rendered:
    body = answer.content.model_dump_json(by_alias=True).encode()
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    return Rendered(body, f'"{digest}"', answer.version, answer.children)
