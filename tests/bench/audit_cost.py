"""The cost of the audit trail: commands and cached reads, without it and with it, alternately.

Reads go through the query API's ASGI application, commands through the bus to a durable event
store. Without: no edge, and a trail that stores nothing.
See docs/decisions/011-an-audit-trail-of-chained-segments.md.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table

from command_service.application import Tuning, command_bus
from shared.audit.process import AuditProcess
from shared.audit.record import AuditRecord, AuditTrail
from shared.audit.settings import AuditSettings
from shared.clock import new_id, utc_now
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.mongo import Mongo
from tests.support.child_facts import REGISTER
from tests.support.command_side import CommandSide, Database
from tests.support.key_files import create_key_files
from tests.support.query_side import QuerySide, parent
from tests.support.stack import chosen

CALLERS, ROUNDS = 64, 3
COMMANDS, READS = 1_500, 8_000
MIA = "00000000-0000-4000-8000-000000000001"

Work = Callable[[], Awaitable[None]]


class NoTrail:
    async def record(self, entry: AuditRecord) -> None:
        return None

    def note(self, entry: AuditRecord) -> None:
        return None

    def require_room(self) -> None:
        return None


async def rate(work: Work, times: int) -> float:
    """Times a second with 64 callers at the same time."""
    left = iter(range(times))

    async def caller() -> None:
        for _ in left:
            await work()

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
    return times / (time.perf_counter() - started)


async def cached_read(trail: AuditTrail | None) -> Work:
    """A parent's question for a profile, answered from the cache."""
    side = QuerySide()
    await side.child(MIA, parent_id="p-1")
    edges = side.app.user_middleware
    for place, middleware in enumerate(edges):
        if "trail" in middleware.kwargs:  # the audit edge
            middleware.kwargs["trail"] = trail
            if trail is None:
                del edges[place]
            break
    bearer = side.bearer(parent("p-1"))["Authorization"].encode()
    return lambda: _get(side.app, f"/v1/children/{MIA}", bearer)


async def _get(app: FastAPI, path: str, bearer: bytes) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"query"), (b"authorization", bearer)],
        "client": ("127.0.0.1", 1),
        "server": ("query", 80),
        "scheme": "http",
        "http_version": "1.1",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
        await asyncio.sleep(0)  # as a socket would: whoever waits for I/O gets a turn

    await app(scope, receive, send)


def command(side: CommandSide, trail: AuditTrail) -> Work:
    """A registration, durable in the event store when it is answered."""
    ports = replace(side.ports, audit_trail=trail)
    side.bus = command_bus(ports, Tuning(timeout_seconds=60), CollectorRegistry())

    async def register() -> None:
        await side.do(replace(REGISTER, child_id=new_id(), udid=f"TEDDY-{new_id()}"))

    return register


async def measure(url: str, folder: Path) -> None:
    create_key_files(folder)
    mongo = Mongo(url)
    database = mongo.database(f"bench_{new_id()[:8]}")
    await ensure_indexes(database)
    store = MongoEventStore(database)
    settings = AuditSettings(
        audit_mongo_url=url,
        audit_database=database.name,
        proof_key_file=folder / "proof.pem",
        proof_keys_file=folder / "proof-keys.json",
        audit_wait_seconds=20,
    )
    table = Table("what", "without", "with", "ratio of medians")
    bounded = AuditProcess(settings, "bench", utc_now)
    strict = AuditProcess(settings.model_copy(update={"audit_strict": True}), "strict", utc_now)
    async with bounded.running() as trail, strict.running() as waited_for:
        side = [CommandSide(Database(events=store)) for _ in range(2)]
        commands = (command(side[0], NoTrail()), command(side[1], trail))
        reads = [await cached_read(each) for each in (None, trail)]
        strict_reads = [await cached_read(each) for each in (None, waited_for)]
        for name, pair, times in (
            ("commands", commands, COMMANDS),
            ("cached reads", reads, READS),
            ("cached reads, strict", strict_reads, READS),
        ):
            rates = [[await rate(work, times) for work in pair] for _ in range(ROUNDS)]
            without, with_it = (median(each) for each in zip(*rates, strict=True))
            row = (f"{without:,.0f}/s", f"{with_it:,.0f}/s", f"{with_it / without:.2f}")
            table.add_row(name, *row)
        blocks = await database["audit_blocks"].count_documents({})
        print(f"{trail.tail.sequence + waited_for.tail.sequence} records in {blocks} blocks")
    Console().print(table)
    await store.close()
    await mongo.close()


def main() -> None:
    with chosen()() as servers, tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(servers.mongo_url, Path(folder)))


if __name__ == "__main__":
    main()
