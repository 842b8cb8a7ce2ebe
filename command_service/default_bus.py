"""The default command bus: every command, every middleware, over the ports it is given."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from command_service.backoff import Backoff
from command_service.command_bus import CommandBus, Middleware
from command_service.domain.child.commands import (
    AcknowledgeSafetyViolation,
    ConfigureAlerts,
    DeactivateChild,
    EndConversation,
    EraseChild,
    GiveConsent,
    ReactivateChild,
    RecordMessage,
    RegisterChild,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    StartConversation,
    UpdateChildProfile,
    WithdrawConsent,
)
from command_service.erasure.completion import ErasureCompletion
from command_service.handlers.aggregate_cache import AggregateCache
from command_service.handlers.aggregates import Aggregates
from command_service.handlers.append import Appender
from command_service.handlers.bear_claims import BearClaims
from command_service.handlers.change_child import ChangeChild
from command_service.handlers.configure_alerts import ConfigureAlertsHandler
from command_service.handlers.deactivate_child import DeactivateChildHandler
from command_service.handlers.decide_and_append import DecideAndAppend
from command_service.handlers.erase_child import EraseChildHandler
from command_service.handlers.older_claims import PAGE, OlderClaims
from command_service.handlers.older_keys import OlderKeys
from command_service.handlers.reactivate_child import ReactivateChildHandler
from command_service.handlers.register_child import RegisterChildHandler
from command_service.handlers.snapshots import Snapshots
from command_service.handlers.stored_results import StoredResults
from command_service.handlers.update_profile import UpdateProfileHandler
from command_service.middleware.audit import Audit
from command_service.middleware.authorization import authorization
from command_service.middleware.child_queues import ChildQueues, QueueLimits
from command_service.middleware.circuit_breaker import CircuitBreaker
from command_service.middleware.deadline import Deadline
from command_service.middleware.logging import Logging
from command_service.middleware.metrics import Metrics
from command_service.middleware.retry import Retry
from command_service.middleware.validation import validation
from shared.audit.trail import AuditTrail
from shared.clock import Clock, utc_now
from shared.event_store.port import ClaimStore, EventStore, SnapshotStore
from shared.events.child import AlertChannel
from shared.keyring.erased_list import ErasedList
from shared.keyring.key_store import KeyStore
from shared.keyring.keyring import Keyring
from shared.keyring.search_index import SearchIndex

MEBIBYTE = 1_024 * 1_024

PLAIN_CHANGES: tuple[type[Any], ...] = (
    ReportSafetyViolation,
    ResolveSafetyViolation,
    AcknowledgeSafetyViolation,
    StartConversation,
    RecordMessage,
    EndConversation,
    GiveConsent,
    WithdrawConsent,
)
"""Commands that need nothing but their child."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the handlers reach the world through."""

    event_store: EventStore
    claims: ClaimStore
    snapshots: SnapshotStore
    keyring: Keyring
    keys: KeyStore
    erased: ErasedList
    index: SearchIndex
    older_keys: OlderKeys
    audit_trail: AuditTrail
    clock: Clock = utc_now
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class Tuning:
    """`timeout_seconds` is a command's as a whole, once it has its turn; `alert_channels` are those
    that are set up."""

    timeout_seconds: float = 1.25
    aggregate_cache_size: int = 20_000
    aggregate_cache_bytes: int = 256 * MEBIBYTE
    snapshot_every: int = 200
    alert_channels: frozenset[AlertChannel] = frozenset(AlertChannel)
    queues: QueueLimits = field(default_factory=QueueLimits)


def default_bus(ports: Ports, tuning: Tuning, registry: CollectorRegistry) -> CommandBus:
    bus = CommandBus()
    for middleware in _middleware(ports, tuning, registry, bus):
        bus.use(middleware)
    _register_handlers(bus, ports, tuning)
    return bus


def _middleware(
    ports: Ports, tuning: Tuning, registry: CollectorRegistry, bus: CommandBus
) -> Iterable[Middleware]:
    yield Logging()
    yield Metrics(registry)
    yield Audit(ports.audit_trail, ports.clock)
    yield authorization
    yield validation(bus)
    yield ChildQueues(tuning.queues, registry)
    yield CircuitBreaker(time.monotonic)
    yield Deadline(tuning.timeout_seconds)
    yield Retry(ports.backoff)


def _register_handlers(bus: CommandBus, ports: Ports, tuning: Tuning) -> None:
    snapshots = Snapshots(ports.snapshots, ports.event_store, tuning.snapshot_every)
    cache = AggregateCache(tuning.aggregate_cache_size, tuning.aggregate_cache_bytes)
    aggregates = Aggregates(ports.event_store, ports.keyring, snapshots, cache)
    appender = Appender(ports.event_store, ports.clock, ports.backoff)
    results = StoredResults(ports.event_store, ports.keyring, ports.older_keys)
    claims = BearClaims(ports.claims, ports.index, aggregates, ports.clock)
    change = DecideAndAppend(aggregates, ports.keyring, appender, results)

    register_child = RegisterChildHandler(aggregates, claims, ports.keyring, appender, results)
    bus.register(RegisterChild, register_child)
    for command in PLAIN_CHANGES:
        bus.register(command, ChangeChild(change))
    bus.register(UpdateChildProfile, UpdateProfileHandler(change, claims))
    bus.register(ConfigureAlerts, ConfigureAlertsHandler(change, tuning.alert_channels))
    bus.register(DeactivateChild, DeactivateChildHandler(change, claims))
    bus.register(ReactivateChild, ReactivateChildHandler(change, claims))
    bus.register(EraseChild, _erase_child(ports, change, aggregates))


def older_claims(ports: Ports, tuning: Tuning) -> OlderClaims:
    """With a cache of its own: that of the commands keeps the children that are asked about."""
    snapshots = Snapshots(ports.snapshots, ports.event_store, tuning.snapshot_every)
    cache = AggregateCache(PAGE, tuning.aggregate_cache_bytes)
    aggregates = Aggregates(ports.event_store, ports.keyring, snapshots, cache)
    claims = BearClaims(ports.claims, ports.index, aggregates, ports.clock)
    return OlderClaims(claims, aggregates)


def _erase_child(
    ports: Ports, change: DecideAndAppend, aggregates: Aggregates
) -> EraseChildHandler:
    completion = ErasureCompletion(
        ports.erased, ports.keys, ports.claims, ports.snapshots, ports.event_store, ports.clock
    )
    return EraseChildHandler(change, ports.event_store, completion, aggregates, ports.keyring)
