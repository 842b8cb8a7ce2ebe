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
import orjson

from shared.audit.block_check import records_of
from shared.audit.export import NotAnExport, check_export, write_export
from shared.audit.findings import Report
from shared.audit.heads import read_file
from shared.audit.store import AuditStore
from shared.audit.verify import verify as verify_all
from shared.auth.aliases import Aliases
from shared.clock import iso
from shared.command_line import Moment
from shared.event_store.mongo import MongoEventStore
from shared.event_store.port import StoreUnavailable
from shared.keyring.key_file import read_key_file
from shared.mongo import Document, Mongo
from shared.proofs.statements import StatementVerifier
from shared.settings import AuditToolSettings, KeyFileSettings, load_settings
from shared.signing_keys import read_jwks
from shared.tables import Table

COLUMNS = ("at", "subject", "role", "operation", "outcome", "address", "children")
KEYS_OPTION = click.option(
    "--keys",
    "keys_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON Web Key Set of proofs that you trust.",
)


@dataclass(frozen=True, slots=True)
class Opened:
    settings: AuditToolSettings
    trail: AuditStore
    commits: MongoEventStore
    jwks: dict[str, Any]


@asynccontextmanager
async def opened() -> AsyncIterator[Opened]:
    """The trail and the event store, from the settings."""
    settings = load_settings(AuditToolSettings)
    audit = Mongo(settings.audit_mongo_url, settings.mongo_driver)
    write = Mongo(settings.write_mongo_url, settings.mongo_driver)
    try:
        yield Opened(
            settings,
            AuditStore(audit.database(settings.audit_database)),
            MongoEventStore(write.database(settings.write_database)),
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
    except StoreUnavailable as error:
        click.echo(f"teddy: {error}", err=True)
        sys.exit(1)


@click.group()
def audit() -> None:
    """The audit trail: look into it, verify it, take a copy."""


@audit.command()
@click.option("--child", "child_id", help="Only what concerns this child.")
@click.option("--subject", help="Only what this subject asked for.")
@click.option(
    "--device", metavar="ID", help="Only what the bear with this device id asked for, by its alias."
)
@click.option("--operation", help="Only this command or query, e.g. GetChildProfile.")
@click.option("--from", "since", type=Moment(), help="Not before this time.")
@click.option("--to", "until", type=Moment(), help="Before this time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def show(limit: int, form: str, device: str | None, **asked: Any) -> None:
    """Show records, the newest first."""
    if device is not None and asked["subject"] is not None:
        raise click.UsageError("--device is a subject, too: give one of the two")
    if device is not None:
        keys = read_key_file(load_settings(KeyFileSettings).key_file)
        asked["subject"] = Aliases(keys.index_key).of_device(device)

    async def work(on: Opened) -> None:
        records = await _found(on.trail, limit, **asked)
        if form == "json":
            for record in records:
                click.echo(orjson.dumps(record))
            return
        table = Table(*COLUMNS)
        for record in records:
            table.add(*(_text(record[column]) for column in COLUMNS))
        table.print()

    run(work)


@audit.command()
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of signed heads; default: TEDDY_AUDIT_HEADS_FILE.",
)
@KEYS_OPTION
def verify(heads_file: Path | None, keys_file: Path | None) -> None:
    """Check every audit record, every signed head and every child's commits.

    Names what was edited, deleted, reordered or truncated. Exit code 1 when anything was.
    """

    async def work(on: Opened) -> None:
        file = heads_file or on.settings.audit_heads_file
        elsewhere = read_file(file) if file is not None and file.exists() else None
        keys = read_jwks(keys_file) if keys_file else on.jwks
        report = await verify_all(on.trail, on.commits, StatementVerifier(keys), elsewhere)
        if elsewhere is None:
            click.echo("no file of heads: only those in the database are compared", err=True)
        tell(report)

    run(work)


@audit.command()
@click.option("--from", "since", type=Moment(), required=True, help="Not before this time.")
@click.option("--to", "until", type=Moment(), required=True, help="Before this time.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(since: datetime, until: datetime, file: Path) -> None:
    """Write whole blocks and the heads that sign them to a new FILE, as JSON lines."""
    if since >= until:
        raise click.UsageError("--from must be before --to")

    async def work(on: Opened) -> None:
        try:
            output = file.open("xb")
        except OSError as error:
            raise click.UsageError(f"{file}: {error.strerror}") from None
        with output:
            written = await write_export(on.trail, on.jwks, since, until, output)
        click.echo(f"{file}: {written.records} records", nl=not written.unsigned)
        if written.unsigned:
            click.echo(f"; {written.unsigned} more are not signed yet")

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


def tell(report: Report) -> None:
    """Print it and end with its exit code."""
    for finding in report.findings:
        click.echo(str(finding))
    for note in report.notes:
        click.echo(f"note: {note}")
    looked_at = ", ".join(f"{number} {what}" for what, number in report.counted.items())
    verdict = f"{len(report.findings)} findings" if report.findings else "all as it was written"
    click.echo(f"{verdict}; looked at {looked_at or 'nothing'}")
    sys.exit(1 if report.findings else 0)


async def _found(
    trail: AuditStore,
    limit: int,
    child_id: str | None,
    subject: str | None,
    operation: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[dict[str, Any]]:
    condition: Document = {}
    for field, value in (("children", child_id), ("subjects", subject), ("operations", operation)):
        if value is not None:
            condition[field] = value
    if until is not None:
        condition["since"] = {"$lt": until}
    if since is not None:
        condition["until"] = {"$gte": since}
    found: list[dict[str, Any]] = []
    async for block in trail.blocks(condition, newest_first=True):
        found += [
            record
            for record in reversed(list(records_of(block)))
            if (child_id is None or child_id in record["children"])
            and subject in (None, record["subject"])
            and operation in (None, record["operation"])
            and (since is None or record["at"] >= iso(since))
            and (until is None or record["at"] < iso(until))
        ]
        if len(found) >= limit:
            break
    return found[:limit]


def _text(value: Any) -> str:
    return "\n".join(value) if isinstance(value, list) else str(value)
