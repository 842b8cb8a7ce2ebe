"""The commands `erase ...`: receipts of erasures, and the proof that nothing is left."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click
import jwt
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from deploy.proofs.erasure import Places, what_is_left
from deploy.settings import ErasureToolSettings
from shared.audit.process import record_look
from shared.clock import utc_now
from shared.erasures import Receipt, open_receipt, read_erasures, sign_receipt
from shared.event_store.mongo import MongoEventStore
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasedChild, MongoErasedList
from shared.keyring.key_store import MongoKeyStore
from shared.mongo import Mongo
from shared.settings import load_settings
from shared.signing import (
    SigningKeyRefused,
    StatementRefused,
    StatementSigner,
    StatementVerifier,
    read_jwks,
    read_signing_key,
)

PAGE = 1_000
SHOWN = 20
FAILURES = (StoreUnavailable, PyMongoError, KafkaError, OSError)


@dataclass(frozen=True, slots=True)
class Opened:
    settings: ErasureToolSettings
    places: Places


Work = Callable[[Opened], Coroutine[Any, Any, None]]


@click.group()
def erase() -> None:
    """Erasures: receipts, and the proof that nothing is left. Who erases is the command API."""


@erase.command()
@click.argument("child_id", metavar="CHILD")
def receipt(child_id: str) -> None:
    """Print the signed receipt of CHILD's erasure; keep it in a file for `verify`."""

    async def work(on: Opened) -> None:
        for child in await on.places.erased.find([child_id]):
            await record_look(on.settings, "GetErasureReceipt", [child_id])
            signer = StatementSigner(read_signing_key(on.settings.proof_key_file))
            click.echo(sign_receipt(signer, child, utc_now()))
            return
        if await on.places.events.last(child_id) is None:
            raise click.UsageError(f"no child {child_id} is in the event store")
        raise click.UsageError(f"child {child_id} is not erased")

    _run(work)


@erase.command()
@click.argument("receipt_file", metavar="RECEIPT", type=click.File("r"))
@click.option(
    "--keys",
    "keys_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON Web Key Set of trusted proof keys; default: TEDDY_PROOF_KEYS_FILE.",
)
def verify(receipt_file: TextIO, keys_file: Path | None) -> None:
    """Prove from every store that nothing is left of the child of RECEIPT (a file, or -).

    Exit code 0: proved. 1: something is left; each thing is named.
    """

    async def work(on: Opened) -> None:
        known = _opened_receipt(receipt_file, keys_file or on.settings.proof_keys_file)
        left = await what_is_left(on.places, known)
        for one in left:
            click.echo(f"{one.where}: {one.what}")
        if left:
            sys.exit(1)
        click.echo(
            f"child {known.child_id}: nothing is left except the remains that the receipt lists"
        )

    _run(work)


@erase.command()
def status() -> None:
    """How many children are erased, and whose erasure is not complete yet."""

    async def work(on: Opened) -> None:
        total, open_ones = 0, []
        async for child in _all(on.places):
            total += 1
            if child.missing:
                open_ones.append(child)
        click.echo(f"{total:,} erased, {len(open_ones):,} not complete")
        for child in open_ones[:SHOWN]:
            click.echo(f"{child.child_id}  outstanding: {', '.join(child.missing)}")

    _run(work)


def _opened_receipt(file: TextIO, keys_file: Path) -> Receipt:
    try:
        return open_receipt(StatementVerifier(read_jwks(keys_file)), file.read())
    except (StatementRefused, OSError, ValueError, jwt.PyJWTError) as error:
        raise click.UsageError(f"{file.name}: {error}") from None


async def _all(places: Places) -> AsyncIterator[ErasedChild]:
    after = ""
    while page := await places.erased.page(after, PAGE):
        after = page[-1].child_id
        for child in page:
            yield child


def _run(work: Work) -> None:
    """Exit code 1 with one line when a server does not answer."""

    async def with_stores() -> None:
        async with _opened() as on:
            await work(on)

    try:
        asyncio.run(with_stores())
    except SigningKeyRefused as error:
        raise click.UsageError(str(error)) from None
    except FAILURES as error:
        click.echo(f"teddy: {error}", err=True)
        sys.exit(1)


@asynccontextmanager
async def _opened() -> AsyncIterator[Opened]:
    settings = load_settings(ErasureToolSettings)
    write = Mongo(settings.write_mongo_url, settings.mongo_driver)
    read = Mongo(settings.read_mongo_url, settings.mongo_driver)
    keys = Mongo(settings.keys_mongo_url, settings.mongo_driver)
    write_database = write.database(settings.write_database)
    keys_database = keys.database(settings.keys_database)
    try:
        places = Places(
            MongoEventStore(write_database),
            MongoClaimStore(write_database),
            MongoSnapshotStore(write_database),
            MongoKeyStore(keys_database),
            MongoErasedList(keys_database),
            read.database(settings.read_database),
            await read_erasures(settings.kafka),
        )
        yield Opened(settings, places)
    finally:
        for mongo in (write, read, keys):
            await mongo.close()
