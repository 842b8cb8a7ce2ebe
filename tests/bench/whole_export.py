"""`python -m tests.bench.whole_export`: the export of a child with a long history, the memory of
the query process while it runs, and the latency of other queries meanwhile.

The child is stored in its own MongoDB, one event per commit, and a query process answers: one
client reads the export, another requests another child's profile repeatedly, without cache. On the
tree of an older commit and on this one.
"""

import asyncio
import os
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import httpx2

from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.clock import new_id, utc_now
from shared.event_store.commit_documents import COLLECTION, to_document
from shared.event_store.envelope import Actor, Causality, NewCommit, StreamPosition, seal_commit
from shared.event_store.mongo import ensure_indexes
from shared.keyring.key_file import FileKeyProvider, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring
from shared.mongo import Database, Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from shared.read_models.indexes import ensure_read_model_indexes
from shared.serialization.events import encode
from shared.signing import read_signing_key
from tests.bench.other_tree import HERE, checked_out
from tests.support.histories import history
from tests.support.key_files import create_key_files
from tests.support.own_mongod import own_mongod
from tests.support.ports import free_port
from tests.support.read_model_builders import child_document, conversation_document

LENGTHS = (20_000, 84_000, 300_000)
EVENTS_A_CONVERSATION = 40
INSERTED_AT_ONCE = 1_000
ALONE_SECONDS = 5.0
ONE = "--one"
PARENT = "parent-1"
ASKED_SECONDS = 0.01


@click.command()
@click.option("--before", default="7615374", show_default=True, help="The commit to compare with.")
@click.option(ONE, "length", type=int, hidden=True, help="Measure this length in this process.")
def main(before: str, length: int | None) -> None:
    """What an export takes, and what others notice of it."""
    if length is not None:
        asyncio.run(_measure(length))
        return
    with checked_out(before) as old:
        for events in LENGTHS:
            for name, tree in (("before", old), ("after", HERE)):
                click.echo(f"{events:8,} events, {name:6}: ", nl=False)
                _run(tree, events)


def _run(tree: Path, events: int) -> None:
    """By this file, with the code of `tree`."""
    command = [sys.executable, "-P", str(Path(__file__).resolve()), ONE, str(events)]
    subprocess.run(command, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, check=True)


async def _measure(events: int) -> None:
    with TemporaryDirectory(prefix="teddy-export-") as path:
        folder = Path(path)
        files = create_key_files(folder)
        async with own_mongod(folder / "mongod") as mongod:
            child, other = new_id(), new_id()
            mongo = Mongo(mongod.url)
            await _written(mongo.database("export"), folder, {child: events, other: 1})
            await mongo.close()
            async with _process(mongod.url, files) as (process, client):
                client.headers["Authorization"] = _bearer(folder)
                await _until_it_answers(client, other)
                alone = await _asked_for(client, other, ALONE_SECONDS)
                await _export(client, process.pid, child, other, alone)


async def _export(
    client: httpx2.AsyncClient, pid: int, child: str, other: str, alone: list[float]
) -> None:
    memory, waited = [_rss(pid)], list[float]()
    watching = asyncio.create_task(_watch(pid, memory))
    asking = asyncio.create_task(_ask(client, other, waited))
    began, size = time.perf_counter(), 0
    async with client.stream("GET", f"/v1/children/{child}/export", timeout=None) as answer:
        async for some in answer.aiter_bytes():
            size += len(some)
    seconds = time.perf_counter() - began
    for task in (watching, asking):
        task.cancel()
    click.echo(
        f"{answer.status_code} after {seconds:6.2f} s, {size / 1e6:6.1f} MB; "
        f"memory {max(memory) - memory[0]:+.0f} MB; another's profile p50 {_part(waited, 0.5)} "
        f"p99 {_part(waited, 0.99)} ms (alone {_part(alone, 0.5)} and {_part(alone, 0.99)})"
    )


@asynccontextmanager
async def _process(
    mongo_url: str, files: Mapping[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx2.AsyncClient]]:
    """A query process without Kafka."""
    port = free_port()
    environment = {
        **{f"TEDDY_{name}_MONGO_URL": mongo_url for name in ("READ", "WRITE", "KEYS", "AUDIT")},
        **{f"TEDDY_{name}_DATABASE": "export" for name in ("READ", "WRITE", "KEYS", "AUDIT")},
        **files,
        "TEDDY_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "TEDDY_QUERY_PORT": str(port),
        "TEDDY_RATE_LIMIT_QUERIES": "1000000/minute",
        "TEDDY_CACHE_SECONDS_WITHOUT_NOTICES": "0",
    }
    command = [sys.executable, "-m", "query_service"]
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield process, client
    finally:
        process.terminate()
        await process.wait()


async def _written(database: Database, folder: Path, lengths: Mapping[str, int]) -> None:
    await ensure_indexes(database)
    await ensure_read_model_indexes(database, Generation(1))
    keys = MongoKeyStore(database)
    keyring = Keyring(FileKeyProvider(read_key_file(folder / "keys.json")), keys)
    for child_id, events in lengths.items():
        await _write_events(database, keyring, child_id, events)
        models = Generation(1).collections(database)
        profile = child_document(child_id, parent_id=PARENT, version=events)
        await models[Model.CHILDREN].insert_one(dict(profile))
        talks = [
            dict(conversation_document(child_id, new_id(), topics=["space", "whales"]))
            for _ in range(events // EVENTS_A_CONVERSATION)
        ]
        if talks:
            await models[Model.CONVERSATIONS].insert_many(talks)
    await keys.close()


async def _write_events(database: Database, keyring: Keyring, child_id: str, events: int) -> None:
    position, cipher = StreamPosition(), await keyring.create(child_id)
    documents: list[dict[str, Any]] = []
    for version, event in enumerate(history(child_id, events, utc_now()), 1):
        commit = seal_commit(
            NewCommit(
                child_id=child_id,
                expected=position,
                events=(encode(event, version, cipher),),
                recorded_at=utc_now(),
                actor=Actor(PARENT, "parent"),
                causality=Causality(new_id()),
            )
        )
        position = commit.position
        documents.append(to_document(commit))
        if len(documents) == INSERTED_AT_ONCE or version == events:
            await database[COLLECTION].insert_many(documents)
            documents = []


def _bearer(folder: Path) -> str:
    issuer = TokenIssuer(read_signing_key(folder / "signing.pem"), "teddy-local", "teddy")
    return f"Bearer {issuer.issue(Principal(PARENT, Role.PARENT), utc_now(), timedelta(hours=1))}"


async def _until_it_answers(client: httpx2.AsyncClient, child_id: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                (await client.get(f"/v1/children/{child_id}")).raise_for_status()
            except (httpx2.TransportError, httpx2.HTTPStatusError):
                await asyncio.sleep(0.1)
            else:
                return


async def _asked_for(client: httpx2.AsyncClient, child_id: str, seconds: float) -> list[float]:
    waited: list[float] = []
    asking = asyncio.create_task(_ask(client, child_id, waited))
    await asyncio.sleep(seconds)
    asking.cancel()
    return waited


async def _ask(client: httpx2.AsyncClient, child_id: str, waited: list[float]) -> None:
    while True:
        began = time.perf_counter()
        try:
            (await client.get(f"/v1/children/{child_id}")).raise_for_status()
        finally:
            waited.append(time.perf_counter() - began)  # also of one that waits at the end
        await asyncio.sleep(ASKED_SECONDS)


async def _watch(pid: int, memory: list[float]) -> None:
    while True:
        memory.append(_rss(pid))
        await asyncio.sleep(0.05)


def _rss(pid: int) -> float:
    """In MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1_024


def _part(values: list[float], part: float) -> str:
    """In milliseconds."""
    return f"{sorted(values)[int(len(values) * part)] * 1e3:.1f}" if values else "-"


if __name__ == "__main__":
    main()
