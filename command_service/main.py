"""Composition root of the command API: settings to ports to app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, ProcessCollector

from command_service.api.command_route import Edge, RequestKeys
from command_service.application import (
    MEBIBYTE,
    Ports,
    Tuning,
    command_bus,
    create_app,
    older_claims,
)
from command_service.bus.child_queues import QueueLimits
from command_service.bus.resilience import Backoff
from command_service.claims.older_claims import OlderClaims
from command_service.handlers.older_keys import OlderKeys
from command_service.settings import CommandSettings
from shared.audit.process import AuditProcess
from shared.audit.record import AuditTrail
from shared.auth.access import BearIndex, Pseudonyms
from shared.auth.from_settings import token_checks
from shared.clock import new_id, utc_now
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.http.callers import Caller
from shared.http.edge import Around
from shared.http.limits import RateLimits, rate_limits
from shared.http.serving import Readiness
from shared.keyring.erased_list import MongoErasedList, ensure_erased_list_index
from shared.keyring.key_file import KeyFile, WatchedKeyFile, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring, forget_the_erased
from shared.mongo import Mongo
from shared.signing import ConsistencyTokens
from shared.tasks import in_background

AT_START = Backoff(tries=4, first_pause_seconds=0.25, within_seconds=4)
"""The store may be electing; whoever supervises the process starts it again later."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The MongoDB side of the command API; opens connections only when it is used."""

    write_mongo: Mongo
    keys_mongo: Mongo
    events: MongoEventStore
    claims: MongoClaimStore
    snapshots: MongoSnapshotStore
    keys: MongoKeyStore
    erased: MongoErasedList

    async def close(self) -> None:
        """Finish the writes under way, then disconnect."""
        await self.events.close()
        await self.claims.close()
        await self.keys.close()
        await self.write_mongo.close()
        await self.keys_mongo.close()


def build_app(settings: CommandSettings) -> FastAPI:
    """Raises KeyFileRefused or SigningKeyRefused; OSError or KeySetRefused for unusable keys of
    tokens."""
    key_file = read_key_file(settings.key_file)
    checks = token_checks(settings)
    stores = _stores(settings)
    audit = AuditProcess(settings, "command")
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    ports = _ports(settings, stores, key_file, audit.trail)
    bus = command_bus(ports, _tuning(settings), registry)
    limits = rate_limits(settings, key_file.index_key)
    older = older_claims(ports, _tuning(settings))
    caller = Caller(checks.verifier, limits, Pseudonyms())
    tokens = ConsistencyTokens(key_file.signature_key)
    request_keys, query_url = RequestKeys(key_file.index_key), settings.public_query_url
    edge = Edge(bus, caller, tokens, request_keys, utc_now, new_id, query_url)
    readiness = _readiness(stores, audit, limits, older)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        database = stores.write_mongo.database(settings.write_database)
        keys_database = stores.keys_mongo.database(settings.keys_database)
        async with audit.running():
            try:
                await AT_START.run(lambda: ensure_indexes(database))
                await AT_START.run(lambda: ensure_erased_list_index(keys_database))
                await AT_START.run(ports.older_keys.look)
                async with in_background(
                    forget_the_erased(ports.keyring, ports.erased, ports.clock),
                    older.keep_settling(),
                    ports.older_keys.keep_looking(),
                ):
                    yield
            finally:
                await checks.keys.close()
                await stores.close()

    bounds = settings.bounds(settings.command_max_in_flight, settings.command_max_connections)
    around = Around(audit.trail, readiness, registry, bounds, settings.exposure)
    return create_app(edge, around, lifespan)


def _readiness(
    stores: Stores, audit: AuditProcess, limits: RateLimits, older: OlderClaims
) -> Readiness:
    checks = {
        "event_store": stores.write_mongo.ping,
        "key_store": stores.keys_mongo.ping,
        "audit_trail": audit.mongo.ping,
        **limits.dependencies,
    }
    return Readiness(
        checks, findings=older.findings, dispensable=lambda: frozenset(limits.dependencies)
    )


def _stores(settings: CommandSettings) -> Stores:
    timeout = settings.command_timeout_seconds
    # Motor's threads stay with a server that hangs, also when nobody waits for them any longer
    silence_ms = round(timeout * 1_000)
    write_mongo = Mongo(settings.write_mongo_url, settings.mongo_driver, silence_ms=silence_ms)
    keys_mongo = Mongo(settings.keys_mongo_url, settings.mongo_driver, silence_ms=silence_ms)
    write_database = write_mongo.database(settings.write_database)
    keys_database = keys_mongo.database(settings.keys_database)
    batchers = settings.group_commit_batchers
    return Stores(
        write_mongo,
        keys_mongo,
        MongoEventStore(write_database, timeout, batchers, settings.group_commit_max),
        MongoClaimStore(write_database, timeout, batchers),
        MongoSnapshotStore(write_database, timeout),
        MongoKeyStore(keys_database, timeout, batchers),
        MongoErasedList(keys_database, timeout),
    )


def _ports(
    settings: CommandSettings, stores: Stores, key_file: KeyFile, trail: AuditTrail
) -> Ports:
    keyring = Keyring(WatchedKeyFile(settings.key_file), stores.keys, settings.keyring_cache_size)
    return Ports(
        event_store=stores.events,
        claims=stores.claims,
        snapshots=stores.snapshots,
        keyring=keyring,
        keys=stores.keys,
        erased=stores.erased,
        index=BearIndex(key_file.index_key),
        older_keys=OlderKeys(stores.events, key_file.index_key),
        audit_trail=trail,
    )


def _tuning(settings: CommandSettings) -> Tuning:
    return Tuning(
        timeout_seconds=settings.command_timeout_seconds,
        aggregate_cache_size=settings.aggregate_cache_size,
        aggregate_cache_bytes=settings.aggregate_cache_mib * MEBIBYTE,
        snapshot_every=settings.snapshot_every,
        alert_channels=settings.configured_channels,
        queues=QueueLimits(
            per_child=settings.command_max_waiting_per_child,
            in_all=settings.command_max_in_flight // 2,  # the other half is for other children
            seconds=settings.command_wait_seconds,
        ),
    )
