"""Both APIs over one memory database as one application: what a command did is in the read models
when its answer is sent. The OpenAPI document is that of both, with the links between them."""

import re
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, cast

import orjson
from fastapi import FastAPI
from starlette.routing import compile_path
from starlette.types import Message, Receive, Scope, Send

from projection_worker.projections.registry import VERSION, ChildView, Place, apply, change
from shared.auth.access import Principal
from shared.event_store.envelope import Commit, NewCommit
from shared.http.openapi import OPENAPI_PATH
from shared.keyring.search_index import SearchIndex
from shared.read_models.documents import Model
from shared.serialization.events import decode_what_opens
from shared.signing import SignatureRefused, Signer
from tests.fakes.event_store import MemoryEventStore
from tests.support.command_side import KEYS, QUERY_URL, CommandSide, Database, StoppedClock
from tests.support.query_side import QuerySide

Document = dict[str, Any]
LISTS = (
    "alerts",
    "children",
    "family",
    "violations",
    "conversations",
    "violation queue",
    "audit records",
)
CURSORS = [Signer(KEYS.signature_key, f"cursor:{of_list}") for of_list in LISTS]


class WatchedEvents(MemoryEventStore):
    """Keeps what was appended until somebody takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.fresh: list[Commit] = []

    async def append(self, commit: NewCommit) -> Commit:
        done = await super().append(commit)
        self.fresh.append(done)
        return done

    async def append_in_order(self, commits: Sequence[Commit]) -> int:
        landed = await super().append_in_order(commits)
        self.fresh.extend(commits[:landed])
        return landed


class BothApis:
    """An ASGI application. Tokens are signed, and each API verifies them with its own key set."""

    def __init__(self) -> None:
        self._events = WatchedEvents()
        database = Database(events=self._events)
        # what is listed by time has one order in each run, whatever ids were drawn
        self.commands = CommandSide(database, clock=StoppedClock(tick_ms=1))
        self.queries = QuerySide(database=database, keys=KEYS)
        self.queries.store.projections = VERSION
        self.document = joined(self.commands.app, self.queries.app)
        self._queries = [
            (method, compile_path(path)[0])
            for path, operations in self.queries.app.openapi()["paths"].items()
            for method in operations
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == OPENAPI_PATH:
            await _answer(self.document, send)
        elif scope["type"] == "http" and self._is_query(scope["method"], scope["path"]):
            await self.queries.app(scope, receive, send)
        else:
            await self.commands.app(scope, receive, send)
            await self._project()

    def bearer(self, principal: Principal, method: str, path: str) -> str:
        """The `Authorization` that the API which has the operation takes."""
        if self._is_query(method, path):
            return self.queries.bearer(principal)["Authorization"]
        return self.commands.bearer(principal)

    def drop_what_nobody_signed(self, headers: MutableMapping[str, Any], query: Any) -> None:
        """Leaves out a consistency token or a cursor that is none of these APIs'."""
        if not _opens(self.commands.tokens.read, headers.get("Consistency-Token")):
            headers.pop("Consistency-Token", None)
        if not any(_opens(cursors.open, query.get("cursor")) for cursors in CURSORS):
            query.pop("cursor", None)

    def forget_the_children(self) -> None:
        """No list and no search finds those that were registered before."""
        store = self.queries.store
        for documents in (*store.models.values(), store.system):
            documents.clear()
        self.queries.cache.clear()

    def _is_query(self, method: str, path: str) -> bool:
        return any(
            method.lower() == known and pattern.match(path) for known, pattern in self._queries
        )

    async def _project(self) -> None:
        fresh, self._events.fresh = self._events.fresh, []
        for commit in fresh:
            if commit.events:
                await self._project_commit(commit)

    async def _project_commit(self, commit: Commit) -> None:
        child_id, store = commit.child_id, self.queries.store
        cipher = (await self.commands.keyring.ciphers([child_id])).get(child_id)
        before = store.children.get(child_id)
        view = ChildView(before, self._documents_of(child_id))
        for recorded in commit.recorded_events():
            event, _ = decode_what_opens(recorded, cipher, SearchIndex(KEYS.index_key))
            view = apply(view, event, recorded.version, recorded.event_id)
        assert view.child is not None
        store.children[child_id] = view.child
        self._keep(child_id, view)
        counters = store.system.setdefault("0", cast(Any, {"_id": "0", "counters": {}}))["counters"]
        for name, count in change(before, view.child).items():
            counters[name] = counters.get(name, 0) + count
        if view.erased:
            self.queries.service.invalidation.erased([child_id])
        self.queries.notify(child_id)

    def _documents_of(self, child_id: str) -> dict[Place, Any]:
        return {
            (model, key): document
            for model, documents in self.queries.store.models.items()
            for key, document in documents.items()
            if model != Model.CHILDREN and child_id in (key, document.get("child_id"))
        }

    def _keep(self, child_id: str, view: ChildView) -> None:
        models = self.queries.store.models
        if view.erased:
            for model, key in self._documents_of(child_id):
                del models[model][key]
        for model, key in view.changed:
            models[model][key] = view.documents[model, key]
        alerts = self.queries.store.alerts
        alerts.update({alert["_id"]: alert for alert in view.alerts})
        for alert in alerts.values():
            if alert["child_id"] == child_id and alert["violation_id"] in view.acknowledged:
                alert["acknowledged_at"] = view.acknowledged[alert["violation_id"]]


def _opens(read: Callable[[str], object], text: str | None) -> bool:
    try:
        return text is not None and bool(read(text))
    except (SignatureRefused, ValueError):
        return False


def joined(commands: FastAPI, queries: FastAPI) -> Document:
    """One document of two, in which links from one to the other lead within it."""
    of_commands, of_queries = commands.openapi(), queries.openapi()
    paths: Document = {}
    for document in (of_commands, of_queries):
        for path, operations in document["paths"].items():
            paths[path] = {**paths.get(path, {}), **operations}
    schemas = of_commands["components"]["schemas"] | of_queries["components"]["schemas"]
    whole = {**of_commands, "paths": paths}
    whole["components"] = {**of_commands["components"], "schemas": schemas}
    elsewhere = re.escape(f"{QUERY_URL}{OPENAPI_PATH}".encode())
    here: Document = orjson.loads(re.sub(elsewhere, b"", orjson.dumps(whole)))
    return here


async def _answer(document: Document, send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": orjson.dumps(document)})
