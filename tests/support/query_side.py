"""The query service over in-memory adapters, with families to ask about."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import httpx2
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from query_service.api.app import create_app
from query_service.api.streams import Streams
from query_service.bus import Rendered
from query_service.cache.query_cache import DEFAULT_BYTES, QueryCache
from query_service.main import wire
from query_service.protection import ProtectionSources
from query_service.queries.query import Query
from query_service.queries.visible_children import OWN_FIELDS
from query_service.registry import Ports
from query_service.settings import QuerySettings
from shared.audit.signed_trail import SignedTrail
from shared.auth.access import Principal, Role
from shared.auth.bears import Pseudonyms
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.http.callers import Caller
from shared.http.edge import Around
from shared.http.limits import RateLimits
from shared.http.request_context import networks_of
from shared.http.serving import Readiness
from shared.http.settings import Bounds, Exposure
from shared.keyring.erased_list import ErasedChild
from shared.keyring.key_file import FileKeyProvider, KeyFile
from shared.keyring.key_store import WrappedKey
from shared.keyring.keyring import Keyring
from shared.keyring.search_index import SearchIndex
from shared.read_models.documents import (
    AlertDocument,
    ChildDocument,
    ViolationDocument,
    ViolationEntry,
)
from shared.read_models.notices import ChangeNotice
from shared.signing import (
    PROOF_KEY_ID,
    ConsistencyTokens,
    StatementSigner,
    StatementVerifier,
    public_jwks,
)
from tests.fakes.audit import MemoryAuditTrail
from tests.fakes.audit_blocks import MemoryAuditBlocks
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.keys import MemoryErasedList, MemoryKeyStore
from tests.fakes.process_reports import MemoryProcessReports
from tests.fakes.read_store import MemoryReadModels, MemoryWholeChild
from tests.support.command_side import Database
from tests.support.rate_limits import limits_of
from tests.support.read_model_builders import (
    NOON,
    activity_document,
    alert_document,
    child_document,
    conversation_document,
    safety_counters,
    sealed,
)
from tests.support.sql_snapshot import snapshot_of
from tests.support.tokens import Forger, verifier_of

UNSHARED = Bounds(requests=100, address_share=1, subject_share=1)
"""One client may have everything."""

ADMIN = Principal("admin-1", Role.ADMIN)
OFFICER = Principal("officer-1", Role.SAFETY_OFFICER)
ANALYST = Principal("analyst-1", Role.ANALYST)


def parent(parent_id: str) -> Principal:
    return Principal(parent_id, Role.PARENT)


def device(device_id: str) -> Principal:
    return Principal(device_id, Role.DEVICE)


class CountingReadModels(MemoryReadModels):
    """Counts the reads of children, to tell an answer from the cache from a fresh one; a store that
    is held answers none of them until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self._free = asyncio.Event()
        self.let_go()
        self.version_read = asyncio.Event()

    def hold(self) -> None:
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    async def projected_version(self, child_id: str) -> int:
        self.version_read.set()
        return await super().projected_version(child_id)

    async def child(self, child_id: str, parent_id: str | None) -> ChildDocument | None:
        self.reads += 1
        await self._free.wait()
        return await super().child(child_id, parent_id)


class QuerySide:
    """Everything of one query process but the servers; the change feed is played by `change`.
    `database`, `keys`: those of a command side whose children are asked about."""

    def __init__(
        self,
        limits: RateLimits | None = None,
        bounds: Bounds = UNSHARED,
        max_waiting: int = 100,
        unwatched_seconds: float = 5.0,
        database: Database | None = None,
        keys: KeyFile | None = None,
        cache_bytes: int = DEFAULT_BYTES,
    ) -> None:
        keys = keys or KeyFile("kek-1", {"kek-1": os.urandom(32)}, os.urandom(32), os.urandom(32))
        database = database or Database()
        signing_key, proof_key = (Ed25519PrivateKey.generate() for _ in range(2))
        self.forger = Forger(signing_key, "tests", "teddy")
        self._issuer = TokenIssuer(signing_key, "tests", "teddy")
        self._index = SearchIndex(keys.index_key)
        self.store = CountingReadModels()
        self.whole = MemoryWholeChild(self.store)
        self.events: MemoryEventStore = database.events
        self.key_store: MemoryKeyStore = database.keys
        self.erased: MemoryErasedList = database.erased
        self.jwks = public_jwks(proof_key, PROOF_KEY_ID)
        self.proof_keys = StatementVerifier(self.jwks)
        self.proofs = StatementSigner(proof_key)
        self.trail = MemoryAuditBlocks()
        self.keyring = Keyring(FileKeyProvider(keys), self.key_store)
        self.tokens = ConsistencyTokens(keys.signature_key)
        self.now = NOON
        self.sql_rows: dict[str, Sequence[Mapping[str, Any]]] = {}
        self.audit = MemoryAuditTrail()
        self.reports = MemoryProcessReports()
        self.cache = QueryCache[Rendered](1_000, time.monotonic, unwatched_seconds, cache_bytes)
        self.protection = self._protection(keys)
        self.ports = self._ports(keys)
        self.settings = _settings(max_waiting, bounds.subject_share)
        self.verifier = verifier_of(signing_key, "tests", "teddy")
        self.caller = Caller(self.verifier, limits or limits_of(), Pseudonyms())
        self.service = wire(self.settings, self.ports, self.cache, self.caller)
        self._bounds = bounds
        self.connect()

    def sign(self) -> None:
        """Heads for all that the trail has."""
        self.trail.sign(self.proofs, self.now)

    def _ports(self, keys: KeyFile) -> Ports:
        return Ports(
            store=self.store,
            whole=self.whole,
            events=self.events,
            keyring=self.keyring,
            keys=keys,
            erased=self.erased,
            proofs=self.proofs,
            clock=lambda: self.now,
            sql_snapshot=snapshot_of(self.sql_rows),
            trail=self.trail,
            signed_trail=lambda: SignedTrail(self.trail, self.proofs, self.jwks),
            record=self.audit,
            reports=self.reports,
            protection=self.protection.kept(),
        )

    def _protection(self, keys: KeyFile) -> ProtectionSources:
        """Kept by the time that the test says it is."""
        return ProtectionSources(
            erased=self.erased,
            key_store=self.key_store,
            key_file=lambda: keys,
            trail=self.trail,
            signed_trail=lambda: SignedTrail(self.trail, self.proofs, self.jwks),
            clock=lambda: self.now,
            monotonic=self._seconds,
        )

    def _seconds(self) -> float:
        return self.now.timestamp()

    @cached_property
    def app(self) -> FastAPI:
        """Made when it is asked for: routes are expensive, and most tests speak to the bus."""
        around = Around(
            self.audit,
            Readiness({"read_store": self.store.ping}),
            self.service.registry,
            self._bounds,
            Exposure(documentation=True, trusted_proxies=networks_of("10.0.0.0/8")),
        )
        return create_app(self.service.edge, around)

    async def close(self) -> None:
        """Remove the snapshot of SQL, if one was made."""
        await self.service.close_statements()

    def connect(self, connected: bool = True) -> None:
        for listener in self.service.listeners:
            listener.connection_changed(connected)

    async def child(self, child_id: str, **fields: Any) -> ChildDocument:
        """Put a child into the read models. Personal fields are given plain."""
        cipher = await self.keyring.create(child_id)
        fields = {"name": "Lena Weiss", "udid": "teddy-000042"} | fields
        tokens = self._index.tokens_of(fields["name"] or "")
        for name in OWN_FIELDS:
            if fields.get(name) is not None:
                fields[name] = sealed(cipher, child_id, name, fields[name])
        document = child_document(child_id, name_tokens=list(tokens), **fields)
        self.store.children[child_id] = document
        return document

    def report(self, child_id: str, *violations: ViolationEntry, **fields: Any) -> None:
        """Put all violations of a child into the read models; `fields` of its safety document."""
        for one in violations:
            ids = {"_id": f"{child_id}/{one['id']}", "child_id": child_id}
            self.store.violations[ids["_id"]] = cast(ViolationDocument, {**ids, **one})
        self.store.safety_documents[child_id] = safety_counters(child_id, *violations, **fields)
        still_open = sum(1 for one in violations if one["resolved_at"] is None)
        self.store.children[child_id]["open_violations_count"] = still_open

    def conversation(self, child_id: str, conversation_id: str, **fields: Any) -> None:
        document = conversation_document(child_id, conversation_id, **fields)
        self.store.conversations[document["_id"]] = document

    def activity(self, child_id: str, day: str, **fields: Any) -> None:
        document = activity_document(child_id, day, **fields)
        self.store.activity_days[document["_id"]] = document

    def alert(self, alert_id: str, **fields: Any) -> AlertDocument:
        self.store.alerts[alert_id] = alert_document(alert_id, **fields)
        return self.store.alerts[alert_id]

    async def close_key(self, child_id: str, kek_id: str | None = None) -> None:
        """The child's data key opens no more: it was wrapped under a key of the same id, but of
        another file; or under `kek_id`, which the key file has not."""
        (key,) = await self.key_store.find([child_id])
        other = WrappedKey(child_id, kek_id or key.kek_id, bytes(len(key.wrapped)))
        await self.key_store.replace([(key, other)])
        self.keyring.forget(child_id)

    async def destroy_key(self, child_id: str) -> None:
        """As an erasure does, in this process."""
        await self.key_store.destroy(child_id)
        self.keyring.forget(child_id)

    @property
    def open_streams(self) -> int:
        return followed(self.service.edge.streams)

    async def list_as_erased(self, child_id: str) -> ErasedChild:
        """Put the child on the list of the erased; its read models are not told."""
        child = ErasedChild(child_id=child_id, at=NOON, by_role="parent", version=2, hash="h2")
        await self.erased.add(child)
        return child

    def change(self, child_id: str, **fields: Any) -> None:
        """The child's document moves on one version and the notice of it arrives."""
        before = self.store.children[child_id]
        after = {**before, "version": before["version"] + 1, **fields}
        self.store.children[child_id] = cast(ChildDocument, after)
        self.notify(child_id)

    def notify(self, child_id: str) -> None:
        document = self.store.children[child_id]
        notice = ChangeNotice(child_id, document["parent_id"], document["version"])
        for listener in self.service.listeners:
            listener.received(notice)

    async def ask(self, query: Query, principal: Principal = ADMIN) -> Any:
        """The answer's JSON, through the bus."""
        result = await self.service.edge.bus.ask(query, principal)
        return orjson.loads(result.rendered.body)

    def bearer(self, principal: Principal) -> dict[str, str]:
        token = self._issuer.issue(principal, utc_now(), timedelta(hours=1))
        return {"Authorization": f"Bearer {token}"}

    def bare_client(self) -> httpx2.AsyncClient:
        """One that shows no token by itself."""
        return self.client(None)

    async def get(
        self, path: str, principal: Principal | None = None, **how: Any
    ) -> httpx2.Response:
        """What this process answers to one request over HTTP."""
        async with self.client(principal) as client:
            return await client.get(path, **how)

    def client(self, principal: Principal | None = None) -> httpx2.AsyncClient:
        """An HTTP client of this process that speaks for `principal`."""
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app),
            base_url="http://query",
            headers=self.bearer(principal) if principal else {},
        )


def followed(streams: Streams) -> int:
    """How many live updates somebody follows."""
    return sum(map(len, streams._by_parent.values()))


def _settings(max_waiting: int, subject_share: float) -> QuerySettings:
    return QuerySettings(
        write_mongo_url="mongodb://unused",
        read_mongo_url="mongodb://unused",
        keys_mongo_url="mongodb://unused",
        audit_mongo_url="mongodb://unused",
        kafka_bootstrap="unused",
        key_file=Path("unused"),
        jwks_file=Path("unused"),
        proof_key_file=Path("unused"),
        proof_keys_file=Path("unused"),
        max_wait_seconds=1.0,
        query_max_waiting=max_waiting,
        subject_share=subject_share,
    )
