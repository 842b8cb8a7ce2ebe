"""The command `verify`, for operators."""

import asyncio
import sys
import time

import click
from rich.console import Console
from rich.table import Table

from projection_worker.replay.verify import Verification, Verifier
from shared.event_store.mongo import MongoEventStore
from shared.keyring.key_file import FileKeyProvider, KeyFileRefused, read_key_file
from shared.keyring.keyring import Keyring
from shared.keyring.mongo_key_store import MongoKeyStore
from shared.keyring.search_index import SearchIndex
from shared.mongo import Mongo
from shared.read_models.generations import live_generation
from shared.settings import WorkerSettings, load_settings

POLL_SECONDS = 0.25


@click.command()
@click.option("--wait", default=0.0, help="Seconds to let the worker catch up first.")
def verify(wait: float) -> None:
    """Compare every read model with a fold of the event store; exit code 1 on a difference."""
    settings = load_settings(WorkerSettings)
    try:
        result = asyncio.run(_verify(settings, wait))
    except KeyFileRefused as error:
        raise click.UsageError(str(error)) from None
    _show(result)
    sys.exit(0 if result.clean else 1)


async def _verify(settings: WorkerSettings, wait: float) -> Verification:
    key_file = read_key_file(settings.key_file)
    write = Mongo(settings.write_mongo_url, settings.mongo_driver)
    read = Mongo(settings.read_mongo_url, settings.mongo_driver)
    keys = Mongo(settings.keys_mongo_url, settings.mongo_driver)
    database = read.database(settings.read_database)
    verifier = Verifier(
        MongoEventStore(write.database(settings.write_database)),
        database,
        await live_generation(database),
        Keyring(FileKeyProvider(key_file), MongoKeyStore(keys.database(settings.keys_database))),
        SearchIndex(key_file.index_key),
    )
    try:
        return await _until_clean(verifier, wait)
    finally:
        for mongo in (write, read, keys):
            await mongo.close()


async def _until_clean(verifier: Verifier, wait: float) -> Verification:
    """Verify; while it is not clean and `wait` seconds have not passed, verify again."""
    deadline = time.monotonic() + wait
    result = await verifier.verify()
    while not result.clean and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        result = await verifier.verify()
    return result


def _show(result: Verification) -> None:
    console = Console()
    summary = Table("compared", "number")
    summary.add_row("children", f"{result.children:,}")
    summary.add_row("events", f"{result.events:,}")
    for model, number in sorted(result.documents.items()):
        summary.add_row(f"documents of {model}", f"{number:,}")
    summary.add_row("system counters", f"{len(result.counters):,}")
    console.print(summary)
    if result.clean:
        console.print("[green]clean[/]: read models, versions, hash chains and counters agree")
        return
    table = Table("model", "document", "field", "events say", "read model has")
    for d in result.differences:
        table.add_row(d.model, d.document, d.field, str(d.expected), str(d.found))
    console.print(table)
    console.print(f"[red]{len(result.differences)} differences[/] (at most 50 are shown)")
