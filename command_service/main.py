"""Composition root of the command API: settings to ports to app."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import structlog
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
    operation_starter,
)
from command_service.bus.child_queues import QueueLimits
from command_service.bus.resilience import Backoff
from command_service.claims.older_claims import OlderClaims
from command_service.handlers.older_keys import OlderKeys
from command_service.settings import CommandSettings
from shared.audit.process import AuditProcess
from shared.audit.record import AuditTrail
from shared.auth.bears import BearIndex, Pseudonyms
from shared.auth.from_settings import token_checks
from shared.clock import new_id, utc_now
from shared.event_store.mongo import (
    MongoEventStore,
    ensure_consents_index,
    ensure_indexes,
)
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.event_store.port import StoreUnavailable
from shared.http.callers import Caller
from shared.http.edge import Around
from shared.http.limits import RateLimits, rate_limits
from shared.http.serving import DependencyCheck, Readiness
from shared.keyring.erased_list import (
    MongoErasedList,
    ensure_erased_list_index,
    ensure_open_erasures_index,
)
from shared.keyring.key_file import KeyFile, WatchedKeyFile, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring, forget_the_erased
from shared.mongo import Database, Mongo
from shared.operations import MongoOperationRequests, ensure_operation_indexes
from shared.process_reports.documents import ProcessKind
from shared.process_reports.measures import Measures, buckets_of, total_of
from shared.process_reports.reporter import ProcessReporter
from shared.signing import ConsistencyTokens
from shared.tasks import in_background

AGAIN_SECONDS = 5.0

log = structlog.get_logger(__name__)

AT_START = Backoff(tries=4, first_pause_seconds=0.25, within_seconds=4)
"""The store may be electing; whoever supervises the process starts it again later."""


def build_app(settings: CommandSettings) -> FastAPI:
    """Raises KeyFileRefused or SigningKeyRefused; OSError or KeySetRefused for unusable keys of
    tokens."""
    key_file = read_key_file(settings.key_file)
    checks = token_checks(settings)
    write, keys = _mongos(settings)
    write_database = write.database(settings.write_database)
    keys_database = keys.database(settings.keys_database)
    audit = AuditProcess(settings, "command")
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    closing = AsyncExitStack()
    for close in (keys.close, write.close):
        closing.push_async_callback(close)
    ports = _ports(settings, write_database, keys_database, key_file, audit.trail, closing)
    closing.push_async_callback(checks.keys.close)
    bus = command_bus(ports, _tuning(settings), registry)
    limits = rate_limits(settings, key_file.index_key)
    older = older_claims(ports, _tuning(settings))
    caller = Caller(checks.verifier, limits, Pseudonyms())
    tokens = ConsistencyTokens(key_file.signature_key)
    request_keys, query_url = RequestKeys(key_file.index_key), settings.public_query_url
    starter = operation_starter(ports)
    edge = Edge(bus, starter, caller, tokens, request_keys, utc_now, new_id, query_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with audit.running(), closing:
            await _ensure_indexes(write_database, keys_database)
            await AT_START.run(ports.older_keys.look)
            reporting = _reporter(settings, write_database, registry).running()
            works = _works(ports, older, write_database, keys_database)
            async with in_background(*works), reporting:
                yield

    needed = {"event_store": write.ping, "key_store": keys.ping, "audit_trail": audit.mongo.ping}
    readiness = _readiness(needed, limits, older)
    bounds = settings.bounds(settings.command_max_in_flight, settings.command_max_connections)
    around = Around(audit.trail, readiness, registry, bounds, settings.exposure)
    return create_app(edge, around, lifespan)


async def _ensure_indexes(write: Database, keys: Database) -> None:
    await AT_START.run(lambda: ensure_indexes(write))
    await AT_START.run(lambda: ensure_operation_indexes(write))
    await AT_START.run(lambda: ensure_erased_list_index(keys))


def _works(
    ports: Ports, older: OlderClaims, write: Database, keys: Database
) -> tuple[Coroutine[Any, Any, None], ...]:
    """What goes on beside the commands."""
    return (
        forget_the_erased(ports.keyring, ports.erased, ports.clock),
        older.keep_settling(),
        ports.older_keys.keep_looking(),
        _ensure_beside(
            partial(ensure_consents_index, write), partial(ensure_open_erasures_index, keys)
        ),
    )


async def _ensure_beside(*indexes: Callable[[], Awaitable[None]]) -> None:
    """Beside the commands, which do not wait for them: the server needs minutes for an index of a
    large store of an earlier release."""
    for ensure in indexes:
        warned = False
        while True:
            try:
                await ensure()
                break
            except StoreUnavailable as error:
                if not warned:
                    log.warning("index_not_there_yet", reason=str(error))
                warned = True
                await asyncio.sleep(AGAIN_SECONDS)


def _mongos(settings: CommandSettings) -> tuple[Mongo, Mongo]:
    """Of the event store and of the keys; both connect when they are used."""
    # Motor's threads stay with a server that hangs, also when nobody waits for them any longer
    silence_ms = round(settings.command_timeout_seconds * 1_000)
    write = Mongo(settings.write_mongo_url, settings.mongo_driver, silence_ms=silence_ms)
    return write, Mongo(settings.keys_mongo_url, settings.mongo_driver, silence_ms=silence_ms)


def _reporter(
    settings: CommandSettings, write: Database, registry: CollectorRegistry
) -> ProcessReporter:
    measures = Measures(
        done=partial(total_of, registry, "teddy_commands_total"),
        seconds=partial(buckets_of, registry, "teddy_command_seconds"),
    )
    return ProcessReporter(write, ProcessKind.COMMAND, settings.command_port, measures)


def _readiness(
    needed: Mapping[str, DependencyCheck], limits: RateLimits, older: OlderClaims
) -> Readiness:
    return Readiness(
        {**needed, **limits.dependencies},
        findings=older.findings,
        dispensable=lambda: frozenset(limits.dependencies),
    )


def _ports(
    settings: CommandSettings,
    write: Database,
    keys: Database,
    key_file: KeyFile,
    trail: AuditTrail,
    closing: AsyncExitStack,
) -> Ports:
    """`closing`: gets what finishes the writes under way."""
    timeout, batchers = settings.command_timeout_seconds, settings.group_commit_batchers
    events = MongoEventStore(write, timeout, batchers, settings.group_commit_max)
    claims, key_store = (
        MongoClaimStore(write, timeout, batchers),
        MongoKeyStore(keys, timeout, batchers),
    )
    for store in (key_store, claims, events):
        closing.push_async_callback(store.close)
    return Ports(
        event_store=events,
        claims=claims,
        snapshots=MongoSnapshotStore(write, timeout),
        keyring=Keyring(WatchedKeyFile(settings.key_file), key_store, settings.keyring_cache_size),
        keys=key_store,
        erased=MongoErasedList(keys, timeout),
        index=BearIndex(key_file.index_key),
        older_keys=OlderKeys(events, key_file.index_key),
        operations=MongoOperationRequests(write, timeout),
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
