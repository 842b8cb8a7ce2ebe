"""`python -m tests.bench.long_streams`: the first command of a child with a long stream and no
snapshot, and what others notice of it.

The stream lies in a MongoDB of its own; the aggregate is asked for until it is there, as commands
do that come again. Beside it somebody wakes up every 2 ms: how late is what other children's
commands wait longer. On the tree of an older commit and on this one.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from command_service.handlers.aggregate_cache import AggregateCache
from command_service.handlers.aggregates import Aggregates
from command_service.handlers.snapshots import Snapshots
from shared.event_store.memory import MemorySnapshotStore
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.keyring.key_file import FileKeyProvider
from shared.keyring.key_store import MemoryKeyStore
from shared.keyring.keyring import Keyring
from shared.mongo import Database, Mongo
from tests.bench.other_tree import HERE, checked_out
from tests.support.command_side import KEYS
from tests.support.histories import insert_history
from tests.support.own_mongod import own_mongod

LENGTHS = (10_000, 50_000, 150_000, 300_000)
WAKES_SECONDS = 0.002
ONE = "--one"


@click.command()
@click.option("--before", default="73a7c9d", show_default=True, help="The commit to compare with.")
@click.option(ONE, "length", type=int, hidden=True, help="Measure this length in this process.")
def main(before: str, length: int | None) -> None:
    """Seconds until a child is loaded, and how late others come to their turn meanwhile."""
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
    keyring = Keyring(FileKeyProvider(KEYS), MemoryKeyStore())
    async with _database() as database:
        child_id = await insert_history(database, keyring, events)
        snapshots = Snapshots(MemorySnapshotStore(), 200)
        store = MongoEventStore(database)
        aggregates = Aggregates(store, keyring, snapshots, AggregateCache(10))
        late: list[float] = []
        other = asyncio.create_task(_wake_up(late))
        began, tries = time.perf_counter(), 1
        while not await _is_loaded(aggregates, child_id):
            tries += 1
        seconds = time.perf_counter() - began
        other.cancel()
        await store.close()
    late.sort()
    p99 = late[int(len(late) * 0.99)]
    click.echo(
        f"loaded after {seconds:6.2f} s and {tries} tries; "
        f"others late by p99 {p99 * 1e3:.0f} ms, at most {late[-1] * 1e3:,.0f} ms"
    )


@asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    with TemporaryDirectory(prefix="teddy-long-") as path:
        async with own_mongod(Path(path) / "mongod") as mongod:
            mongo = Mongo(mongod.url)
            database = mongo.database("long_streams")
            await ensure_indexes(database)
            yield database
            await mongo.close()


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
