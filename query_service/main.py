"""Composition root of the query API: settings to ports to app."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from query_service.api.app import create_app
from query_service.api.evidence import Evidence
from query_service.api.exports import Exports
from query_service.api.query_route import Edge
from query_service.api.sql import SNAPSHOT_WAIT_SECONDS, Statements
from query_service.api.streams import Streams
from query_service.bus import ReadStoreOutage, Rendered
from query_service.business_metrics import BusinessMetrics
from query_service.cache.answer_server import RedisAnswers
from query_service.cache.feeds import ChangeFeed, ErasureFeed, FeedListener
from query_service.cache.freshness import Invalidation, ProjectedVersions, Waits
from query_service.cache.journal import FeedJournal
from query_service.cache.query_cache import QueryCache
from query_service.metrics import QueryMetrics
from query_service.pages_from_settings import pages_of
from query_service.queries.exporter import ExportCursors, Exporter
from query_service.read_store.recent_figures import RecentFigures
from query_service.registry import Ports, query_bus
from query_service.settings import CACHE_IN_MEMORY, QuerySettings
from query_service.shared_answers import SharedAnswers
from query_service.sql.daily import DailySeries
from query_service.sql.runner import SqlLimits, SqlRunner
from query_service.stores import Stores, open_stores
from shared.audit.process import AuditProcess
from shared.auth.bears import Pseudonyms
from shared.auth.from_settings import token_checks
from shared.clock import unix_seconds
from shared.http.callers import Caller
from shared.http.edge import Around
from shared.http.limits import rate_limits
from shared.http.serving import Readiness
from shared.keyring.key_file import read_key_file
from shared.signing import ConsistencyTokens
from shared.tasks import in_background


@dataclass(frozen=True, slots=True)
class QueryService:
    """One process between its ports and HTTP."""

    edge: Edge
    registry: CollectorRegistry
    business: BusinessMetrics
    figures: RecentFigures
    outage: ReadStoreOutage
    daily: DailySeries
    invalidation: Invalidation

    @property
    def listeners(self) -> tuple[FeedListener, ...]:
        return self.invalidation, self.edge.streams

    async def close_statements(self) -> None:
        await self.figures.close()
        await self.daily.close()
        await self.edge.statements.runner.close()


def wire(
    settings: QuerySettings, ports: Ports, cache: QueryCache[Rendered], caller: Caller
) -> QueryService:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    metrics = QueryMetrics(registry)
    metrics.watch(cache, ports.store.away_seconds)
    figures = RecentFigures(ports.store, ports.clock)
    outage = ReadStoreOutage(
        ports.store.away_seconds, cache, ports.keyring, settings.cache_seconds_without_read_store
    )
    cursors = ExportCursors(ports.keys.signature_key)
    exporter = Exporter(ports.whole, ports.events, ports.keyring, cursors)
    versions = ProjectedVersions(ports.store.projected_version, time.monotonic)
    statements = _statements(settings, ports)
    daily = DailySeries(statements.runner, time.monotonic)
    edge = Edge(
        bus=query_bus(settings, ports, cache, metrics, outage, daily, figures),
        cache=cache,
        caller=caller,
        tokens=ConsistencyTokens(ports.keys.signature_key),
        versions=versions,
        waits=Waits(settings.query_max_waiting, settings.subject_share, registry),
        max_wait_seconds=settings.max_wait_seconds,
        streams=Streams(settings.max_streams_per_subject),
        exports=Exports(exporter, settings.query_max_exports, metrics),
        statements=statements,
        evidence=_evidence(settings, ports),
    )
    invalidation = Invalidation(cache, versions, ports.keyring)
    business = BusinessMetrics(registry, figures)
    return QueryService(edge, registry, business, figures, outage, daily, invalidation)


def _evidence(settings: QuerySettings, ports: Ports) -> Evidence:
    return Evidence(
        ports.events, ports.signed_trail, ports.record, ports.clock, settings.audit_head_seconds
    )


def _statements(settings: QuerySettings, ports: Ports) -> Statements:
    limits = SqlLimits(
        running=settings.query_max_statements,
        snapshot_age=settings.sql_snapshot_seconds,
        snapshot_wait=SNAPSHOT_WAIT_SECONDS,
    )
    runner = SqlRunner(limits, time.monotonic, ports.sql_snapshot)
    return Statements(runner, settings.query_max_statements)


def build_app(settings: QuerySettings) -> FastAPI:
    """The query API over MongoDB and Kafka; it connects when it starts.

    Raises KeyFileRefused, SigningKeyRefused, OSError or KeySetRefused for unusable keys of tokens.
    """
    keys = read_key_file(settings.key_file)
    checks = token_checks(settings)
    cache: QueryCache[Rendered] = QueryCache(
        settings.cache_max_entries,
        time.monotonic,
        settings.cache_seconds_without_notices,
        settings.query_cache_bytes,
    )
    audit = AuditProcess(settings, "query")
    stores = open_stores(settings, keys, cache, audit)
    storage = _share(settings, cache, stores)
    limits = rate_limits(settings, keys.index_key)
    service = wire(settings, stores.ports, cache, Caller(checks.verifier, limits, Pseudonyms()))
    feed = ChangeFeed(settings.kafka, service.listeners, storage.journal)
    erasures = ErasureFeed(settings.kafka, service.invalidation.erased)
    pages = pages_of(settings, checks.verifier, keys)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(stores.close)
            stack.push_async_callback(service.close_statements)
            stack.push_async_callback(checks.keys.close)
            stack.push_async_callback(storage.close)
            stack.push_async_callback(pages.close)
            await stack.enter_async_context(audit.running())
            follow = (stores.live.follow(), service.business.follow())
            await stack.enter_async_context(in_background(feed.run(), erasures.run(), *follow))
            yield

    shared = {**limits.dependencies, **storage.dependencies}
    readiness = _readiness(stores, audit, (feed, erasures), service, shared)
    bounds = settings.bounds(settings.query_max_in_flight, settings.query_max_connections)
    around = Around(audit.trail, readiness, service.registry, bounds, settings.exposure)
    return pages.beside(create_app(service.edge, around, lifespan))


@dataclass(frozen=True, slots=True)
class SharedTier:
    """Of the cache; nothing where each process caches for itself."""

    journal: FeedJournal | None = None
    server: RedisAnswers | None = None

    @property
    def dependencies(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {} if self.server is None else {"query_cache_storage": self.server.check}

    async def close(self) -> None:
        if self.server is not None:
            await self.server.close()


def _share(settings: QuerySettings, cache: QueryCache[Rendered], stores: Stores) -> SharedTier:
    if settings.query_cache_storage == CACHE_IN_MEMORY:
        return SharedTier()
    journal, server = FeedJournal(unix_seconds), RedisAnswers(settings.query_cache_storage)
    ports, live = stores.ports, stores.live
    secret = ports.keys.index_key
    cache.second = SharedAnswers(
        server, journal, ports.keyring, secret, lambda: live.known, cache.now
    )
    return SharedTier(journal, server)


def _readiness(
    stores: Stores,
    audit: AuditProcess,
    feeds: tuple[ChangeFeed, ErasureFeed],
    service: QueryService,
    shared: Mapping[str, Callable[[], Awaitable[None]]],
) -> Readiness:
    """`shared`: what the processes only share, and each of them can do without."""
    feed, erasures = feeds

    def details() -> dict[str, Any]:
        return {"bus": service.edge.bus.health(), "invalidation": {"connected": feed.connected}}

    def dispensable() -> frozenset[str]:
        """A process that has half of its answers still is better than none: all processes share
        what is away, and a balancer would leave out each of them."""
        bearable = {"read_store"} if service.outage.is_bearable() else set()
        return frozenset({"kafka", "key_store", *shared} | bearable)

    # Whoever never read the topic of erasures could show a child that a restored database brought
    # back, and what nobody can record is not shown: both are needed.
    checks = {
        "read_store": stores.ports.store.ping,
        "key_store": stores.keys_mongo.ping,
        "audit_trail": audit.mongo.ping,
        "kafka": feed.check,
        "erasures": erasures.check,
        **shared,
    }
    return Readiness(checks, details, dispensable=dispensable)
