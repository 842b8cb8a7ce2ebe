"""The commands `erase ...`: receipts of erasures, and the proof that nothing is left."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

import click
import jwt

from deploy.commands.session import open_databases
from deploy.proofs.erasure import Places, what_is_left
from deploy.settings import ErasureToolSettings
from projection_worker.session import run_on
from shared.audit.process import record_look
from shared.clock import utc_now
from shared.erasures import Receipt, open_receipt, read_erasures, sign_receipt
from shared.event_store.mongo import MongoEventStore
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.keyring.erased_list import ErasedChild, MongoErasedList
from shared.keyring.key_store import MongoKeyStore
from shared.settings import load_settings
from shared.signing import (
    StatementRefused,
    StatementSigner,
    StatementVerifier,
    read_jwks,
    read_signing_key,
)

PAGE = 1_000
SHOWN = 20


@click.group()
def erase() -> None:
    """Erasures: receipts, and the proof that nothing is left. Who erases is the command API."""


@erase.command()
@click.argument("child_id", metavar="CHILD")
def receipt(child_id: str) -> None:
    """Print the signed receipt of CHILD's erasure; keep it in a file for `verify`."""

    async def work(on: Places) -> None:
        for child in await on.erased.find([child_id]):
            settings = load_settings(ErasureToolSettings)
            await record_look(settings, "GetErasureReceipt", [child_id])
            signer = StatementSigner(read_signing_key(settings.proof_key_file))
            click.echo(sign_receipt(signer, child, utc_now()))
            return
        if await on.events.last(child_id) is None:
            raise click.UsageError(f"no child {child_id} is in the event store")
        raise click.UsageError(f"child {child_id} is not erased")

    run_on(_open_places, work)


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

    async def work(on: Places) -> None:
        trusted = keys_file or load_settings(ErasureToolSettings).proof_keys_file
        known = _opened_receipt(receipt_file, trusted)
        left = await what_is_left(on, known)
        for one in left:
            click.echo(str(one))
        if left:
            sys.exit(1)
        click.echo(
            f"child {known.child_id}: nothing is left except the remains that the receipt lists"
        )

    run_on(_open_places, work)


@erase.command()
def status() -> None:
    """How many children are erased, and whose erasure is not complete yet."""

    async def work(on: Places) -> None:
        total, open_ones = 0, list[ErasedChild]()
        after = ""
        while page := await on.erased.page(after, PAGE):
            after = page[-1].child_id
            total += len(page)
            open_ones += [child for child in page if child.missing]
        click.echo(f"{total:,} erased, {len(open_ones):,} not complete")
        for child in open_ones[:SHOWN]:
            click.echo(f"{child.child_id}  outstanding: {', '.join(child.missing)}")

    run_on(_open_places, work)


def _opened_receipt(file: TextIO, keys_file: Path) -> Receipt:
    try:
        return open_receipt(StatementVerifier(read_jwks(keys_file)), file.read())
    except (StatementRefused, OSError, ValueError, jwt.PyJWTError) as error:
        raise click.UsageError(f"{file.name}: {error}") from None


@asynccontextmanager
async def _open_places() -> AsyncIterator[Places]:
    settings = load_settings(ErasureToolSettings)
    async with open_databases(settings, "write", "read", "keys") as (write, read, keys):
        yield Places(
            MongoEventStore(write),
            MongoClaimStore(write),
            MongoSnapshotStore(write),
            MongoKeyStore(keys),
            MongoErasedList(keys),
            read,
            await read_erasures(settings.kafka),
        )
