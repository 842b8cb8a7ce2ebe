"""Composition root of the query API: settings to ports to application."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from starlette.types import Lifespan

from query_service.api.asking import Asking
from query_service.api.child_pages import child_pages_router
from query_service.api.children import children_router
from query_service.api.errors import PROBLEMS
from query_service.api.exports import Exports
from query_service.api.links import LINKS
from query_service.api.parents import parents_router
from query_service.api.records import records_router
from query_service.api.streams import Streams
from query_service.api.system import system_router
from query_service.cache.change_feed import ChangeFeed
from query_service.cache.erasure_feed import ErasureFeed
from query_service.cache.gates import Gates
from query_service.cache.invalidation import Invalidation
from query_service.cache.outage import ReadStoreOutage
from query_service.cache.query_cache import QueryCache
from query_service.cache.waits import Waits
from query_service.default_bus import Ports, default_bus, exporter_of
from query_service.metrics import QueryMetrics
from query_service.query_bus import Rendered
from query_service.read_store.live_generation import READ_SECONDS, LiveGeneration
from query_service.read_store.mongo import MongoReadModels
from query_service.read_store.whole_child_mongo import MongoWholeChild
from shared.audit.process import AuditProcess
from shared.audit.trail import AuditTrail
from shared.auth.aliases import Pseudonyms
from shared.auth.from_settings import token_checks
from shared.background import in_background
from shared.clock import new_id, utc_now
from shared.event_store.mongo import MongoEventStore
from shared.http.admission import install_admission
from shared.http.audit_edge import install_audit
from shared.http.callers import Caller
from shared.http.connection_room import install_connection_room
from shared.http.correlation import install_correlation
from shared.http.hardening import Exposure, install_hardening
from shared.http.links import install_links
from shared.http.operations import Readiness, operations_router
from shared.http.problems import install_problems
from shared.http.proxies import install_callers_address
from shared.http.rate_limit_headers import install_rate_limit_headers
from shared.http.shares import Bounds
from shared.keyring.key_file import KeyFile, read_key_file
from shared.keyring.keyring import Keyring
from shared.keyring.mongo_erased_list import MongoErasedList
from shared.keyring.mongo_key_store import MongoKeyStore
from shared.keyring.watched_key_file import WatchedKeyFile
from shared.mongo import Mongo
from shared.proofs.statements import StatementSigner
from shared.rate_limits.from_settings import rate_limits
from shared.rate_limits.rate_limits import RateLimits
from shared.settings import QuerySettings
from shared.signing import ConsistencyTokens
from shared.signing_keys import read_signing_key

NOTHING_SHOWN = Exposure()
PREFIX = "/v1"
DESCRIPTION = "What is known of children, families and the system. Changes go to the command API."


class QueryService:
    """Everything between the ports and HTTP. `listeners` are to be told of every notice."""

    def __init__(self, settings: QuerySettings, ports: Ports, cache: QueryCache[Rendered]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        metrics = QueryMetrics(self.registry)
        metrics.watch(cache, ports.store.away_seconds)
        self.cache = cache
        self.streams = Streams(settings.max_streams_per_subject)
        self.exports = Exports(exporter_of(ports), settings.query_max_exports, metrics)
        self.outage = ReadStoreOutage(
            ports.store.away_seconds,
            cache,
            ports.keyring,
            settings.cache_seconds_without_read_store,
        )
        self.bus = default_bus(settings, ports, cache, metrics, self.outage)
        gates = Gates(ports.store.gate, time.monotonic)
        self.invalidation = Invalidation(cache, gates, ports.keyring)
        self.listeners = (self.invalidation, self.streams)
        tokens = ConsistencyTokens(ports.keys.signature_key)
        waits = Waits(settings.query_max_waiting, settings.subject_share, self.registry)
        self.asking = Asking(self.bus, gates, tokens, settings.max_wait_seconds, waits)


def build_api(
    service: QueryService,
    caller: Caller,
    trail: AuditTrail,
    readiness: Readiness,
    bounds: Bounds,
    lifespan: Lifespan[FastAPI] | None = None,
    exposure: Exposure = NOTHING_SHOWN,
) -> FastAPI:
    """The HTTP side; close `app.state.streams` and `.exports` before the server stops."""
    app = FastAPI(
        title="Teddy query API",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,  # a redirect goes to whatever `Host` says, and takes the body along
    )
    app.state.streams, app.state.exports = service.streams, service.exports
    app.include_router(children_router(service.asking, caller))
    app.include_router(child_pages_router(service.asking, caller))
    app.include_router(records_router(service.asking, caller, service.exports))
    app.include_router(parents_router(service.asking, caller, service.streams))
    app.include_router(system_router(service.asking, caller, service.cache))
    app.include_router(operations_router(readiness, service.registry))
    install_links(app, LINKS)
    install_problems(app, PROBLEMS)
    install_rate_limit_headers(app)
    install_audit(app, trail, utc_now, PREFIX)
    install_admission(app, PREFIX, bounds, service.registry)
    install_hardening(app, exposure)
    install_callers_address(app, exposure.trusted_proxies)
    install_connection_room(app, bounds, exposure.trusted_proxies, service.registry)
    install_correlation(app, new_id)
    return app


@dataclass(frozen=True, slots=True)
class Opened:
    """The ports, and what is behind them and to be closed."""

    ports: Ports
    live: LiveGeneration
    mongos: tuple[Mongo, Mongo, Mongo]
    key_store: MongoKeyStore

    @property
    def keys_mongo(self) -> Mongo:
        return self.mongos[2]

    async def close(self) -> None:
        await self.key_store.close()
        for mongo in self.mongos:
            await mongo.close()


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
    on = _opened(settings, keys, cache)
    service = QueryService(settings, on.ports, cache)
    feed = ChangeFeed(settings.kafka, service.listeners)
    erasures = ErasureFeed(settings.kafka, service.invalidation.erased)
    audit = AuditProcess(settings, "query")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(on.close)
            stack.push_async_callback(checks.keys.close)
            await stack.enter_async_context(audit.running())
            works = in_background(feed.run(), erasures.run(), on.live.follow())
            await stack.enter_async_context(works)
            yield

    limits = rate_limits(settings, keys.index_key)
    caller = Caller(checks.verifier, limits, Pseudonyms())
    readiness = _readiness(on, audit, (feed, erasures), service, limits)
    exposure = Exposure(settings.api_documentation, settings.behind_tls, settings.proxies)
    bounds = Bounds(
        settings.query_max_in_flight,
        settings.query_max_connections,
        settings.address_share,
        settings.subject_share,
    )
    return build_api(service, caller, audit.trail, readiness, bounds, lifespan, exposure)


def _opened(settings: QuerySettings, keys: KeyFile, cache: QueryCache[Rendered]) -> Opened:
    write, read, key = (
        Mongo(url, settings.mongo_driver, silence_ms=round(READ_SECONDS * 1_000))
        for url in (settings.write_mongo_url, settings.read_mongo_url, settings.keys_mongo_url)
    )
    keys_database = key.database(settings.keys_database)
    key_store = MongoKeyStore(keys_database, READ_SECONDS)
    database = read.database(settings.read_database)
    live = LiveGeneration(database, time.monotonic, cache.clear)
    ports = Ports(
        MongoReadModels(database, live),
        MongoWholeChild(database),
        MongoEventStore(write.database(settings.write_database), READ_SECONDS),
        Keyring(WatchedKeyFile(settings.key_file), key_store, settings.keyring_cache_size),
        keys,
        MongoErasedList(keys_database, READ_SECONDS),
        StatementSigner(read_signing_key(settings.proof_key_file)),
        utc_now,
    )
    return Opened(ports, live, (write, read, key), key_store)


def _readiness(
    on: Opened,
    audit: AuditProcess,
    feeds: tuple[ChangeFeed, ErasureFeed],
    service: QueryService,
    limits: RateLimits,
) -> Readiness:
    feed, erasures = feeds

    def details() -> dict[str, Any]:
        return {"bus": service.bus.health(), "invalidation": {"connected": feed.connected}}

    def dispensable() -> frozenset[str]:
        """A process that has half of its answers still is better than none: all processes share
        what is away, and a balancer would leave out each of them."""
        bearable = {"read_store"} if service.outage.is_bearable() else set()
        return frozenset({"kafka", "key_store", *limits.dependencies} | bearable)

    # Whoever never read the topic of erasures could show a child that a restored database brought
    # back, and what nobody can record is not shown: both are needed.
    checks = {
        "read_store": on.ports.store.ping,
        "key_store": on.keys_mongo.ping,
        "audit_trail": audit.mongo.ping,
        "kafka": feed.check,
        "erasures": erasures.check,
        **limits.dependencies,
    }
    return Readiness(checks, details, dispensable=dispensable)
