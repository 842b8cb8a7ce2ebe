"""The commands `audit ...`: who asked for what, who saw what, and whether anybody tampered."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import jwt

from deploy.commands.audit_output import _print, tell, tell_findings
from deploy.proofs.block_check import Report
from deploy.proofs.records_of_children import (
    NotAnExport,
    Sources,
    Wanted,
    bear_of,
    check_export,
    find_records,
    write_export,
)
from deploy.proofs.verify_trail import HeadsOnTime
from deploy.proofs.verify_trail import verify as verify_all
from deploy.settings import AuditToolSettings
from shared.audit.heads import read_file
from shared.audit.store import AuditStore
from shared.clock import utc_now
from shared.command_line import Moment
from shared.event_store.mongo import MongoEventStore
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.port import StoreUnavailable
from shared.keyring.key_file import read_key_file
from shared.mongo import Mongo
from shared.settings import KeyFileSettings, load_settings
from shared.signing import (
    SigningKeyRefused,
    StatementSigner,
    StatementVerifier,
    read_jwks,
    read_signing_key,
)

KEYS_OPTION = click.option(
    "--keys",
    "keys_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON Web Key Set of trusted proof keys.",
)


@dataclass(frozen=True, slots=True)
class Opened:
    settings: AuditToolSettings
    trail: AuditStore
    commits: MongoEventStore
    claims: MongoClaimStore
    jwks: dict[str, Any]

    @property
    def heads(self) -> list[str]:
        """The lines of the file of heads, where there is one. Raises OSError."""
        file = self.settings.audit_heads_file
        return read_file(file) if file is not None and file.exists() else []


@asynccontextmanager
async def opened() -> AsyncIterator[Opened]:
    """The trail and the event store, from the settings."""
    settings = load_settings(AuditToolSettings)
    audit = Mongo(settings.audit_mongo_url, settings.mongo_driver)
    write = Mongo(settings.write_mongo_url, settings.mongo_driver)
    database = write.database(settings.write_database)
    try:
        yield Opened(
            settings,
            AuditStore(audit.database(settings.audit_database)),
            MongoEventStore(database),
            MongoClaimStore(database),
            read_jwks(settings.proof_keys_file),
        )
    finally:
        await audit.close()
        await write.close()


def run(work: Callable[[Opened], Coroutine[Any, Any, None]]) -> None:
    """Exit code 1 with one line when a database does not answer."""

    async def with_stores() -> None:
        async with opened() as on:
            await work(on)

    try:
        asyncio.run(with_stores())
    except SigningKeyRefused as error:
        raise click.UsageError(str(error)) from None
    except StoreUnavailable as error:
        click.echo(f"teddy: {error}", err=True)
        sys.exit(1)


@click.group()
def audit() -> None:
    """The audit trail: look into it, verify it, take a copy."""


@audit.command()
@click.option("--child", "child_id", help="Only records about this child.")
@click.option("--subject", help="Only requests of this subject.")
@click.option(
    "--device",
    metavar="ID",
    help="Only requests by bears of the child that has the bear with this device id now.",
)
@click.option("--operation", help="Only this command or query, e.g. GetChildProfile.")
@click.option("--from", "since", type=Moment(), help="Not before this time.")
@click.option("--to", "until", type=Moment(), help="Before this time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option(
    "--every-block",
    is_flag=True,
    help="Read the whole trail instead of the index, in which an attacker with the "
    "database's password may have hidden records; slow.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def show(limit: int, form: str, device: str | None, every_block: bool, **asked: Any) -> None:
    """Show records, the newest first. Exit code 1 when what was read is not as it was written."""
    if device is not None and asked["subject"] is not None:
        raise click.UsageError("--device and --subject exclude each other")

    async def work(on: Opened) -> None:
        report = Report()
        if device is not None:
            index_key = read_key_file(load_settings(KeyFileSettings).key_file).index_key
            asked["bear"] = await bear_of(on.claims, index_key, device)
        records = await find_records(
            on.trail, Wanted(**asked), limit, report, every_block=every_block
        )
        _print(records, form)
        tell_findings(report)

    run(work)


@audit.command()
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of signed audit heads; default: TEDDY_AUDIT_HEADS_FILE.",
)
@KEYS_OPTION
def verify(heads_file: Path | None, keys_file: Path | None) -> None:
    """Check every audit record, every signed head and every child's commits.

    Names what was edited, deleted, reordered or truncated. Exit code 1 when anything was.
    """

    async def work(on: Opened) -> None:
        file = heads_file or on.settings.audit_heads_file
        elsewhere = read_file(file) if file is not None and file.exists() else None
        verifier = StatementVerifier(read_jwks(keys_file) if keys_file else on.jwks)
        on_time = HeadsOnTime(utc_now, on.settings.audit_head_seconds)
        report = await verify_all(on.trail, on.commits, verifier, elsewhere, on_time)
        if elsewhere is None:
            click.echo("no heads file: only heads in the database are checked", err=True)
        tell(report)

    run(work)


@audit.command()
@click.option("--from", "since", type=Moment(), required=True, help="Not before this time.")
@click.option("--to", "until", type=Moment(), required=True, help="Before this time.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(since: datetime, until: datetime, file: Path) -> None:
    """Write the records of a time and what proves them to a new FILE, as JSON lines. Exit code 1
    when the trail is not as it was written; the file tells it, too."""
    if since >= until:
        raise click.UsageError("--from must be before --to")

    async def work(on: Opened) -> None:
        try:
            output = file.open("xb")
        except OSError as error:
            raise click.UsageError(f"{file}: {error.strerror}") from None
        signer = StatementSigner(read_signing_key(on.settings.proof_key_file))
        sources = Sources(on.trail, signer, on.jwks, on.heads)
        with output:
            written = await write_export(sources, since, until, output)
        click.echo(f"{file}: {written.records} records", nl=not written.unsigned)
        if written.unsigned:
            click.echo(f"; {written.unsigned} more are not signed yet")
        tell_findings(written.report)

    run(work)


@audit.command("verify-export")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@KEYS_OPTION
def verify_export(file: Path, keys_file: Path | None) -> None:
    """Check an exported FILE offline. Exit code 1 when it was altered."""
    try:
        keys = read_jwks(keys_file) if keys_file else None
        report = check_export(file.read_bytes().splitlines(), keys)
    except (NotAnExport, ValueError, jwt.PyJWTError) as error:
        raise click.UsageError(f"{file}: {error}") from None
    tell(report)
