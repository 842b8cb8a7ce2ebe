"""How every operator's command of this package runs: what it works on is opened, what it found is
printed, refusals and failures end it with one line and an exit code."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import orjson

from projection_worker.settings import WorkerSettings
from shared.audit.record import AuditUnavailable
from shared.command_line import Table
from shared.event_store.mongo import MongoEventStore
from shared.keyring.key_file import KeyFileRefused, WatchedKeyFile, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring
from shared.keyring.search_index import SearchIndex
from shared.lease import LeaseLost
from shared.mongo import Database, Mongo
from shared.settings import load_settings
from shared.signing import SigningKeyRefused

On = TypeVar("On")
Result = TypeVar("Result")


class Refused(Exception):
    """It cannot be done as asked; nothing was touched."""


class NotFound(Refused):
    """What was asked about is not there."""


class Failed(Exception):
    """It was tried and did not work."""


REFUSALS = (Refused, KeyFileRefused, SigningKeyRefused)
FAILURES = (Failed, LeaseLost, AuditUnavailable)


@dataclass(frozen=True, slots=True)
class Stores:
    """`database` holds the read models, `commits` the event store; `read`, `write` and `keys`
    are the connections to their servers."""

    settings: WorkerSettings
    read: Mongo
    write: Mongo
    keys: Mongo
    database: Database
    commits: Database
    store: MongoEventStore
    keyring: Keyring
    index: SearchIndex


@asynccontextmanager
async def open_stores(settings: WorkerSettings) -> AsyncIterator[Stores]:
    """Both stores and the keys; everything is closed behind the block. Raises KeyFileRefused."""
    key_file = read_key_file(settings.key_file)
    async with AsyncExitStack() as stack:
        urls = (settings.write_mongo_url, settings.read_mongo_url, settings.keys_mongo_url)
        write, read, keys = (Mongo(url, settings.mongo_driver) for url in urls)
        for mongo in (write, read, keys):
            stack.push_async_callback(mongo.close)
        key_store = MongoKeyStore(keys.database(settings.keys_database))
        stack.push_async_callback(key_store.close)
        commits = write.database(settings.write_database)
        yield Stores(
            settings,
            read,
            write,
            keys,
            read.database(settings.read_database),
            commits,
            MongoEventStore(commits),
            Keyring(WatchedKeyFile(settings.key_file), key_store, settings.keyring_cache_size),
            SearchIndex(key_file.index_key),
        )


def run(work: Callable[[Stores], Awaitable[Result]]) -> Result:
    """What `work` on the opened stores gives, as `run_on`."""
    return run_on(lambda: open_stores(load_settings(WorkerSettings)), work)


def run_on(
    opening: Callable[[], AbstractAsyncContextManager[On]], work: Callable[[On], Awaitable[Result]]
) -> Result:
    """What `work` gives. A refusal ends the program with exit code 2, a failure with 1."""

    async def opened() -> Result:
        async with opening() as on:
            return await work(on)

    try:
        return asyncio.run(opened())
    except REFUSALS as error:
        raise click.UsageError(str(error)) from None
    except FAILURES as error:
        click.echo(f"teddy: {error}", err=True)
        sys.exit(1)


def format_option(text: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--format table|json`, as the parameter `form`."""
    forms = click.Choice(["table", "json"])
    return click.option(
        "--format", "form", type=forms, default="table", show_default=True, help=text
    )


def print_json(rows: Sequence[Any]) -> None:
    click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))


def print_table(table: Table, rows: int, otherwise: str) -> None:
    """`otherwise`: what is said where there are no rows."""
    if rows:
        table.print()
    else:
        click.echo(otherwise)
