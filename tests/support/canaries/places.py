"""Every byte that a stack wrote: databases, topics, files, what its processes and tools say."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pymongo
from bson.raw_bson import RawBSONDocument
from redis.asyncio import Redis

from deploy.local import plans
from deploy.local.state import StackFolder, StackState
from tests.support.commands import teddy_process
from tests.support.kafka import texts_of_topics


def texts_of_databases(state: StackState) -> dict[str, bytes]:
    """Every document of every collection of every database, the servers' own among them."""
    url = state.environment["TEDDY_WRITE_MONGO_URL"]
    texts: dict[str, bytes] = {}
    with pymongo.MongoClient[Any](url, document_class=RawBSONDocument) as client:
        for database in (client[name] for name in client.list_database_names()):
            for name in database.list_collection_names(filter={"type": "collection"}):
                found = database[name].find({})
                texts[f"the collection {database.name}.{name}"] = b"".join(d.raw for d in found)
    return texts


def texts_of_files(path: Path) -> dict[str, bytes]:
    """Logs, data, state, all that tools wrote. mongod compresses its data: `texts_of_databases`
    reads its documents."""
    files = (file for file in path.rglob("*") if file.is_file())
    return {f"the file {file.relative_to(path)}": file.read_bytes() for file in files}


async def texts_of_a_running(state: StackState) -> dict[str, bytes]:
    """Databases, topics from their beginning, metrics and health of every process."""
    return {
        **texts_of_databases(state),
        **await texts_of_topics(state.environment[plans.KAFKA_BOOTSTRAP]),
        **await _texts_of_the_cache(state),
        **{name: text async for name, text in _pages(state)},
    }


async def _texts_of_the_cache(state: StackState) -> dict[str, bytes]:
    """What the server of the shared tier of the query cache holds."""
    async with Redis.from_url(state.environment[plans.CACHE_STORAGE]) as server:
        keys = [key async for key in server.scan_iter()]
        values = [await server.get(key) or b"" for key in keys]
    return {"the server of the query cache": b"\n".join([*keys, *values])}


def tools(folder: StackFolder, child: str, violation: str) -> list[tuple[str, ...]]:
    """Commands that show operators something, unless they ask to reveal it; evidence and audit
    become files."""
    evidence, trail = folder.path / "evidence.json", folder.path / "trail.jsonl"
    about = ("--child", child)
    span = ("--from", "2000-01-01", "--to", "2100-01-01")
    export = ("export", *about, "--violation", violation, "--out", str(evidence))
    return [
        ("replay", "show", *about),
        ("replay", "events", *about),
        ("replay", "rebuild"),
        ("dead-letter", "list"),
        ("audit", "show", *about),
        ("audit", "export", *span, str(trail)),
        ("audit", "verify"),
        ("evidence", *export),
        ("evidence", "verify", str(evidence), "--keys", str(folder.keys / "proof-keys.json")),
        ("keys", "status"),
        ("status",),
        ("logs", "query", "-n", "10000"),
    ]


async def texts_of_tools(folder: StackFolder, child: str, violation: str) -> dict[str, bytes]:
    """What each of them says, as a process."""
    texts = {}
    for command in tools(folder, child, violation):
        said = await teddy_process(folder, *command)
        assert said.code == 0, (command, said.err)
        texts[f"what `teddy {' '.join(command[:2])}` says"] = f"{said.out}{said.err}".encode()
    return texts


def looked_at(texts: Mapping[str, bytes], *places: str) -> list[str]:
    """Those of `places` that the search did not meet: it finds nothing where it looks nowhere."""
    met = "\n".join(name for name, text in texts.items() if text)
    return [place for place in places if place not in met]


async def _pages(state: StackState) -> AsyncIterator[tuple[str, bytes]]:
    async with httpx2.AsyncClient() as http:
        for process in plans.SERVICES:
            for page in ("metrics", "health/ready", "openapi.json", "docs"):
                answer = await http.get(f"http://127.0.0.1:{state.ports[process]}/{page}")
                yield f"the page {page} of {process}", answer.content
