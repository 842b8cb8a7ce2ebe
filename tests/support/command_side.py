"""The command API over the in-memory fakes, and a client for it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any, Self

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from command_service.api.command_route import Edge, RequestKeys
from command_service.application import Ports, Tuning, command_bus, create_app, operation_starter
from command_service.bus.command_bus import (
    Command,
    CommandBus,
    CommandContext,
    CommandResult,
    SentRequest,
)
from command_service.bus.resilience import Backoff
from command_service.handlers.older_keys import OlderKeys
from shared.auth.access import Principal, Role
from shared.auth.bears import BearIndex, Pseudonyms
from shared.auth.tokens import TokenIssuer
from shared.clock import new_id, utc_now
from shared.http.callers import Caller
from shared.http.edge import Around
from shared.http.limits import RateLimits
from shared.http.serving import Readiness
from shared.http.settings import Bounds, Exposure
from shared.keyring.key_file import FileKeyProvider, KeyFile
from shared.keyring.keyring import Keyring
from shared.signing import ConsistencyTokens
from tests.fakes.audit import MemoryAuditTrail
from tests.fakes.event_store import MemoryClaimStore, MemoryEventStore, MemorySnapshotStore
from tests.fakes.keys import MemoryErasedList, MemoryKeyStore
from tests.fakes.operations import MemoryOperationRequests
from tests.support.consents import CONSENTS
from tests.support.flaky_stores import Interleaved
from tests.support.rate_limits import limits_of
from tests.support.tokens import Forger, verifier_of

ISSUER, AUDIENCE = "teddy-tests", "teddy"
QUERY_URL = "http://query.test"
UDID = "TEDDY-0000-0001"
KEYS = KeyFile("kek-1", {"kek-1": b"k" * 32}, index_key=b"i" * 32, signature_key=b"s" * 32)

MOTHER = Principal("parent-ada", Role.PARENT)
STRANGER = Principal("parent-bob", Role.PARENT)
BEAR = Principal("bear-device-1", Role.DEVICE)
OFFICER = Principal("officer-1", Role.SAFETY_OFFICER)
ANALYST = Principal("analyst-1", Role.ANALYST)
ADMIN = Principal("admin-1", Role.ADMIN)


@dataclass
class StoppedClock:
    """Stands still until it is told to go on, or goes on by `tick_ms` with each look at it."""

    now: datetime = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    tick_ms: int = 0

    def __call__(self) -> datetime:
        self.pass_by(milliseconds=self.tick_ms)
        return self.now

    def pass_by(self, **duration: float) -> None:
        self.now += timedelta(**duration)


UNSHARED = Bounds(requests=100, address_share=1, subject_share=1)
"""One client may have everything."""

PATIENT = Tuning(timeout_seconds=60.0)
"""A test machine that is busy is no store that is away."""


def sent(key: str, content: str, principal: Principal = ADMIN) -> SentRequest:
    """A request under `key` that says `content`."""
    return SentRequest(f"k-{key}", content.encode(), (principal.role, principal.subject, key))


async def no_pause(_seconds: float) -> None:
    return None


@dataclass
class Database:
    """What several command processes share."""

    events: Any = field(default_factory=MemoryEventStore)
    claims: Any = field(default_factory=MemoryClaimStore)
    snapshots: Any = field(default_factory=MemorySnapshotStore)
    keys: Any = field(default_factory=MemoryKeyStore)
    erased: Any = field(default_factory=MemoryErasedList)
    operations: Any = field(default_factory=MemoryOperationRequests)

    def interleaved(self, seed: int) -> "Database":
        """The same, but calls that arrive together take turns, differently for each seed."""
        random = Random(seed)
        stores = (self.events, self.claims, self.snapshots, self.keys, self.erased, self.operations)
        return Database(*(Interleaved(store, random) for store in stores))


class CommandSide:
    """One command process. Give two the same `database` to have them race."""

    def __init__(
        self,
        database: Database | None = None,
        clock: StoppedClock | None = None,
        tuning: Tuning | None = None,
        limits: RateLimits | None = None,
        query_url: str | None = QUERY_URL,
        bounds: Bounds = UNSHARED,
    ) -> None:
        self._query_url = query_url
        self._bounds = bounds
        self.database = database or Database()
        self.clock = clock or StoppedClock()
        self.audit = MemoryAuditTrail()
        self.registry = CollectorRegistry()
        self.keyring = Keyring(FileKeyProvider(KEYS), self.database.keys)
        self.index = BearIndex(KEYS.index_key)
        self.ports = Ports(
            event_store=self.database.events,
            claims=self.database.claims,
            snapshots=self.database.snapshots,
            keyring=self.keyring,
            keys=self.database.keys,
            erased=self.database.erased,
            index=self.index,
            older_keys=OlderKeys(self.database.events, KEYS.index_key),
            operations=self.database.operations,
            clock=self.clock,
            audit_trail=self.audit,
            backoff=Backoff(sleep=no_pause),
        )
        self.bus: CommandBus = command_bus(self.ports, tuning or PATIENT, self.registry)
        self.tokens = ConsistencyTokens(KEYS.signature_key)
        self._signing_key = Ed25519PrivateKey.generate()
        self.issuer = TokenIssuer(self._signing_key, ISSUER, AUDIENCE)
        self.forger = Forger(self._signing_key, ISSUER, AUDIENCE)
        self._limits = limits or limits_of()

    async def given(self, *commands: Command) -> Self:
        """The same side, once `commands` are carried out."""
        for command in commands:
            await self.do(command)
        return self

    async def do(
        self, command: Command, principal: Principal = ADMIN, key: str | None = None
    ) -> CommandResult:
        """Dispatch without HTTP. `key` stands for both the idempotency key and the request."""
        request = None if key is None else sent(key, key, principal)
        context = CommandContext(principal, "correlation-1", new_id(), request=request)
        return await self.bus.dispatch(command, context)

    async def stored_events(self) -> list[str]:
        """The types of all events in the store."""
        return [
            event.type async for commit in self.database.events.scan() for event in commit.events
        ]

    def bearer(self, principal: Principal) -> str:
        return "Bearer " + self.issuer.issue(principal, utc_now(), timedelta(minutes=5))

    @asynccontextmanager
    async def client(self, principal: Principal | None = MOTHER) -> AsyncIterator["CommandClient"]:
        async with self.bare_client() as http:
            yield CommandClient(http, None if principal is None else self.bearer(principal))

    def bare_client(self) -> httpx2.AsyncClient:
        """One that shows no token by itself."""
        transport = httpx2.ASGITransport(app=self.app)
        return httpx2.AsyncClient(transport=transport, base_url="http://command")

    @cached_property
    def app(self) -> FastAPI:
        """Made when it is asked for: routes are expensive, and most tests speak to the bus."""
        verifier = verifier_of(self._signing_key, ISSUER, AUDIENCE)
        caller = Caller(verifier, self._limits, Pseudonyms())
        edge = Edge(
            self.bus,
            operation_starter(self.ports),
            caller,
            self.tokens,
            RequestKeys(KEYS.index_key),
            self.clock,
            new_id,
            self._query_url,
        )
        exposure = Exposure(documentation=True)
        around = Around(
            self.audit, Readiness({}), self.registry, self._bounds, exposure, self.clock
        )
        return create_app(edge, around)


@dataclass
class CommandClient:
    """Speaks HTTP as one principal."""

    http: httpx2.AsyncClient
    authorization: str | None

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        sent = dict(headers or {})
        if self.authorization is not None:
            sent["Authorization"] = self.authorization
        if key is not None:
            sent["Idempotency-Key"] = key
        content: dict[str, Any] = {"json": body} if raw is None and body is not None else {}
        if raw is not None:
            content = {"content": raw}
            sent.setdefault("Content-Type", "application/json")
        return await self.http.request(method, f"/v1{path}", headers=sent, **content)

    async def register(self, udid: str = UDID, **fields: Any) -> str:
        """The id of a newly registered child; of the usual udid the bear is BEAR."""
        device_id = BEAR.subject if udid == UDID else f"bear-of-{udid}"
        body = {"name": "Ada", "age": 7, "udid": udid, "device_id": device_id}
        body |= {"consents": CONSENTS} | fields
        response = await self.send("POST", "/children", body)
        assert response.status_code == 201, response.text
        child_id: str = response.json()["child_id"]
        return child_id
