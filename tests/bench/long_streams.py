"""`python -m tests.bench.long_streams`: the first command of a child with a long stream and no
snapshot, its snapshot, and the delay of other commands during both.

The stream is stored in its own MongoDB; the aggregate is requested until it is loaded, as repeated
commands do. Meanwhile a task wakes up every 2 ms: how late it is, is the delay of other children's
commands. On the tree of an older commit and on this one. Then, on this one, a child with many open
violations: its memory, writing and reading its snapshot, and its erasure.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from command_service.aggregates.repository import AggregateCache, Aggregates
from command_service.aggregates.snapshots import LoadedChild, Snapshots
from command_service.child.decider import evolve
from command_service.child.state import Child
from shared.clock import new_id, utc_now
from shared.event_store.commit_documents import COLLECTION, to_document
from shared.event_store.envelope import Actor, Causality, NewCommit, StreamPosition, seal_commit
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.events.child import SafetyViolationReported, Severity
from shared.keyring.key_file import FileKeyProvider
from shared.keyring.keyring import Keyring
from shared.mongo import Database, Mongo
from shared.serialization.events import encode
from tests.bench.other_tree import HERE, checked_out
from tests.fakes.event_store import MemorySnapshotStore
from tests.fakes.keys import MemoryKeyStore
from tests.support.command_side import KEYS
from tests.support.histories import history
from tests.support.own_mongod import own_mongod

LENGTHS = (10_000, 50_000, 150_000, 300_000)
OPEN_VIOLATIONS = 100_000
CACHE_BYTES = 1 << 30
EVERY = 200
INSERTED_AT_ONCE = 1_000
WAKES_SECONDS = 0.002
ONE = "--one"


@click.command()
@click.option("--before", default="7615374", show_default=True, help="The commit to compare with.")
@click.option(ONE, "length", type=int, hidden=True, help="Measure this length in this process.")
def main(before: str, length: int | None) -> None:
    """Seconds until a child is loaded, and how late others come to their turn meanwhile."""
    if length is not None:
        asyncio.run(_measure(length))
        return
    asyncio.run(_measure_large_snapshot(OPEN_VIOLATIONS))
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
    keyring = Keyring(FileKeyProvider(KEYS), MemoryKeyStore())
    async with _database() as database:
        child_id = await _written(database, keyring, events)
        kept = MemorySnapshotStore()
        store = MongoEventStore(database)
        aggregates = _aggregates(store, keyring, kept)
        late: list[float] = []
        other = asyncio.create_task(_wake_up(late))
        before, began, tries = _resident_mb(), time.perf_counter(), 1
        while not await _is_loaded(aggregates, child_id):
            tries += 1
        seconds = time.perf_counter() - began
        other.cancel()
        grown = _resident_mb() - before
        await store.close()
    click.echo(
        f"loaded after {seconds:6.2f} s and {tries} tries; {_lateness(late)}; "
        f"{grown:.0f} MB more; snapshot of {_size(kept, child_id):,} bytes"
    )


def _aggregates(store: Any, keyring: Keyring, kept: MemorySnapshotStore) -> Aggregates:
    """By what the tree has: before, snapshots asked no events, and the cache for no bytes."""
    is_older = "events" not in signature(Snapshots).parameters
    making: Any = Snapshots
    snapshots = making(kept, EVERY) if is_older else making(kept, store, EVERY)
    caching: Any = AggregateCache
    cache = caching(10) if is_older else caching(10, CACHE_BYTES)
    return Aggregates(store, keyring, snapshots, cache)


def _size(kept: MemorySnapshotStore, child_id: str) -> int:
    snapshot: Any = kept._snapshots[child_id]
    return sum(map(len, getattr(snapshot, "parts", None) or (snapshot.payload,)))


def _lateness(late: list[float]) -> str:
    late.sort()
    p99 = late[int(len(late) * 0.99)] if late else 0.0
    return f"others late by p99 {p99 * 1e3:.0f} ms, at most {max(late, default=0.0) * 1e3:,.0f} ms"


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _measure_large_snapshot(open_violations: int) -> None:

    child_id, position = new_id(), StreamPosition(open_violations + 1, "ab" * 32)
    cipher = await Keyring(FileKeyProvider(KEYS), MemoryKeyStore()).create(child_id)
    before, child = _resident_mb(), Child()
    for number in range(open_violations):
        child = evolve(child, _a_report(child_id, number))
    click.echo(f"{open_violations:8,} open violations: {_resident_mb() - before:.0f} MB")
    async with _database() as database:
        store = MongoEventStore(database)
        snapshots = Snapshots(MongoSnapshotStore(database), store, EVERY)
        loaded = LoadedChild(child, position, open_violations)
        async with _timed("snapshot written"):
            await snapshots.take_if_due(child_id, loaded, cipher)
        async with _timed("snapshot read"):
            found = await snapshots.find(child_id)
            assert found is not None
            again = await snapshots.opened(found, cipher)
        assert again is not None
        assert again.child == child
        documents = await database["snapshots"].count_documents({})
        async with _timed(f"all {documents} documents of it deleted"):
            await MongoSnapshotStore(database).delete(child_id)
        await store.close()


def _a_report(child_id: str, number: int) -> SafetyViolationReported:
    return SafetyViolationReported(
        child_id=child_id,
        at=utc_now(),
        violation_id=new_id(),
        violation_type=f"kind {number % 7}",
        severity=Severity.HIGH,
    )


@asynccontextmanager
async def _timed(what: str) -> AsyncIterator[None]:
    late: list[float] = []
    other = asyncio.create_task(_wake_up(late))
    began = time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    other.cancel()
    click.echo(f"         {what} in {seconds:.2f} s; {_lateness(late)}")


@asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    with TemporaryDirectory(prefix="teddy-long-") as path:
        async with own_mongod(Path(path) / "mongod") as mongod:
            mongo = Mongo(mongod.url)
            database = mongo.database("long_streams")
            await ensure_indexes(database)
            yield database
            await mongo.close()


async def _written(database: Database, keyring: Keyring, events: int) -> str:
    child_id, position = new_id(), StreamPosition()
    cipher = await keyring.create(child_id)
    documents = []
    for version, event in enumerate(history(child_id, events, utc_now()), 1):
        commit = seal_commit(
            NewCommit(
                child_id=child_id,
                expected=position,
                events=(encode(event, version, cipher),),
                recorded_at=utc_now(),
                actor=Actor("parent-1", "parent"),
                causality=Causality(new_id()),
            )
        )
        position = commit.position
        documents.append(to_document(commit))
        if len(documents) == INSERTED_AT_ONCE or version == events:
            await database[COLLECTION].insert_many(documents)
            documents = []
    return child_id


async def _is_loaded(aggregates: Aggregates, child_id: str) -> bool:
    try:
        return await aggregates.current(child_id) is not None
    except Exception as error:  # by its name: the older tree does not have it
        if type(error).__name__ == "ChildLoading":
            return False
        raise


async def _wake_up(late: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(WAKES_SECONDS)
        late.append(time.perf_counter() - began - WAKES_SECONDS)


if __name__ == "__main__":
    main()
