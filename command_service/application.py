"""The command side over its ports: the bus with every handler, and the HTTP API over the bus."""

import time
from dataclasses import dataclass, field
from typing import Any, get_args

from fastapi import APIRouter, FastAPI, Request
from prometheus_client import CollectorRegistry

from command_service.aggregates.repository import AggregateCache, Aggregates
from command_service.aggregates.snapshots import Snapshots
from command_service.api import batch, operations
from command_service.api.batch_items import COMMAND_ROUTERS
from command_service.api.command_route import Edge
from command_service.api.errors import PROBLEMS
from command_service.api.openapi import LINKS
from command_service.bus.child_queues import ChildQueues, QueueLimits
from command_service.bus.command_bus import CommandBus, CommandHandler
from command_service.bus.pipeline import Observer, Pipeline, allowed
from command_service.bus.resilience import Backoff, CircuitBreaker
from command_service.bus.together import Together
from command_service.child.commands import (
    ChildCommand,
    ConfigureAlerts,
    DeactivateChild,
    EraseChild,
    ReactivateChild,
    RegisterChild,
    UpdateChildProfile,
)
from command_service.claims.bear_claims import BearClaims
from command_service.claims.older_claims import PAGE, OlderClaims
from command_service.erasure import EraseChildHandler, ErasureCompletion
from command_service.handlers.append import Appender, StoredResults
from command_service.handlers.command_handlers import (
    ChangeChild,
    ConfigureAlertsHandler,
    DeactivateChildHandler,
    ReactivateChildHandler,
    RegisterChildHandler,
    UpdateProfileHandler,
)
from command_service.handlers.decide_and_append import DecideAndAppend
from command_service.handlers.older_keys import OlderKeys
from command_service.handlers.start_operation import OperationStarter
from shared.audit.record import AuditTrail
from shared.auth.bears import BearIndex
from shared.clock import Clock, utc_now
from shared.event_store.port import ClaimStore, EventStore, SnapshotStore
from shared.events.child import AlertChannel
from shared.http.edge import Around, Lifespan, install_edge, new_api
from shared.http.openapi import install_links
from shared.http.problems import install_problems, problem_responses
from shared.http.recent_requests import recent_requests_of
from shared.http.request_figures import RequestFigures
from shared.keyring.erased_list import ErasedList
from shared.keyring.key_store import KeyStore
from shared.keyring.keyring import Keyring
from shared.operations import OperationRequests

MEBIBYTE = 1_024 * 1_024

DESCRIPTION = """
All commands of a child account. Errors are RFC 9457 problem documents. Every answer has a
`Consistency-Token`: send it with a query to see the command's effect.
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the handlers reach the world through."""

    event_store: EventStore
    claims: ClaimStore
    snapshots: SnapshotStore
    keyring: Keyring
    keys: KeyStore
    erased: ErasedList
    index: BearIndex
    older_keys: OlderKeys
    operations: OperationRequests
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


def command_bus(ports: Ports, tuning: Tuning, registry: CollectorRegistry) -> CommandBus:
    bus = CommandBus()
    observer = Observer(ports.audit_trail, ports.clock, registry)
    queues, breaker = ChildQueues(tuning.queues, registry), CircuitBreaker(time.monotonic)
    pipeline = Pipeline(observer, queues, breaker, tuning.timeout_seconds, ports.backoff)
    bus.use(pipeline)
    bus.use_together(Together(pipeline))
    _register_handlers(bus, ports, tuning)
    return bus


def _register_handlers(bus: CommandBus, ports: Ports, tuning: Tuning) -> None:
    aggregates = _aggregates(ports, tuning, tuning.aggregate_cache_size)
    results = StoredResults(ports.event_store, ports.keyring, ports.older_keys)
    appender = Appender(ports.event_store, ports.clock, ports.backoff, results, aggregates)
    claims = BearClaims(ports.claims, ports.index, aggregates, ports.clock)
    change = DecideAndAppend(aggregates, ports.keyring, appender, results)

    plain = ChangeChild(change)
    own: dict[type[Any], CommandHandler[Any]] = {
        RegisterChild: RegisterChildHandler(claims, ports.keyring, appender, results),
        UpdateChildProfile: UpdateProfileHandler(change, claims),
        ConfigureAlerts: ConfigureAlertsHandler(change, tuning.alert_channels),
        DeactivateChild: DeactivateChildHandler(change, claims),
        ReactivateChild: ReactivateChildHandler(change, claims),
        EraseChild: _erase_child(ports, change, aggregates),
    }
    for command in get_args(ChildCommand):
        bus.register(command, own.get(command, plain))


def operation_starter(ports: Ports) -> OperationStarter:
    return OperationStarter(ports.operations, ports.audit_trail, ports.clock)


def older_claims(ports: Ports, tuning: Tuning) -> OlderClaims:
    """With a cache of its own: that of the commands keeps the children that are asked about."""
    aggregates = _aggregates(ports, tuning, PAGE)
    claims = BearClaims(ports.claims, ports.index, aggregates, ports.clock)
    return OlderClaims(claims, aggregates)


def _aggregates(ports: Ports, tuning: Tuning, at_most: int) -> Aggregates:
    """`at_most`: children that are kept in memory."""
    snapshots = Snapshots(ports.snapshots, ports.event_store, tuning.snapshot_every)
    cache = AggregateCache(at_most, tuning.aggregate_cache_bytes)
    return Aggregates(ports.event_store, ports.keyring, snapshots, cache)


def _erase_child(
    ports: Ports, change: DecideAndAppend, aggregates: Aggregates
) -> EraseChildHandler:
    completion = ErasureCompletion(
        ports.erased, ports.keys, ports.claims, ports.snapshots, ports.event_store, ports.clock
    )
    return EraseChildHandler(change, ports.event_store, completion, aggregates, ports.keyring)


introspection = APIRouter(tags=["introspection"])


@introspection.get("/commands", responses=problem_responses(401, 403, 429, 503))
async def get_command_bus(request: Request) -> dict[str, Any]:
    """The bus's handlers and its middleware, outermost first. For administrators."""
    edge: Edge = request.app.state.edge
    allowed(request.state.principal, "GetCommandBus")
    bus = edge.bus
    handlers = [{"command": each.command, "handler": each.handler} for each in bus.handlers]
    return {"handlers": handlers, "middleware": bus.middleware, "health": bus.health()}


@introspection.get("/system/requests", responses=problem_responses(401, 403, 429, 503))
async def get_recent_requests(request: Request) -> RequestFigures:
    """How many requests were answered in the last five minutes, how fast, and what was refused. Of
    the process that answers; each counts its own. For administrators."""
    allowed(request.state.principal, "GetRecentRequests")
    return recent_requests_of(request.app).figures()


ROUTERS = (*COMMAND_ROUTERS, batch.router, operations.router, introspection)


def create_app(edge: Edge, around: Around, lifespan: Lifespan | None = None) -> FastAPI:
    app = new_api("Teddy command API", DESCRIPTION, ROUTERS, edge.caller, lifespan)
    app.state.edge = edge
    app.state.batches = batch.Batches()
    install_links(app, LINKS, edge.query_url)
    install_problems(app, PROBLEMS)
    install_edge(app, around)
    return app
